//! The kinds of requests that are measured.

use clap::ValueEnum;
use serde::Serialize;

/// The default number of connections.
pub const CONNECTIONS: usize = 64;

/// A kind of request, or a mix of all kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Work {
    Me,
    Login,
    Register,
    Refresh,
    Logout,
    Mixed,
}

/// A kind of request that is also sent at a fixed rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PacedWork {
    Logout,
    Refresh,
}

impl PacedWork {
    /// All kinds, in the order of the report.
    pub const ALL: [Self; 2] = [Self::Logout, Self::Refresh];
}

impl From<PacedWork> for Work {
    fn from(paced: PacedWork) -> Self {
        match paced {
            PacedWork::Logout => Self::Logout,
            PacedWork::Refresh => Self::Refresh,
        }
    }
}

impl Work {
    /// All kinds, in the order of the report.
    pub const ALL: [Self; 6] = [
        Self::Me,
        Self::Login,
        Self::Register,
        Self::Refresh,
        Self::Logout,
        Self::Mixed,
    ];

    /// Returns the name in tables and charts.
    pub fn name(self) -> &'static str {
        match self {
            Self::Me => "GET /me",
            Self::Login => "POST /login",
            Self::Register => "POST /register",
            Self::Refresh => "POST /refresh",
            Self::Logout => "POST /logout",
            Self::Mixed => "mixed",
        }
    }

    /// Returns the wrk script.
    pub fn script(self) -> &'static str {
        match self {
            Self::Me => include_str!("lua/me.lua"),
            Self::Login => include_str!("lua/login.lua"),
            Self::Register => include_str!("lua/register.lua"),
            Self::Refresh => include_str!("lua/refresh.lua"),
            Self::Logout => include_str!("lua/logout.lua"),
            Self::Mixed => include_str!("lua/life.lua"),
        }
    }

    /// Returns the number of wrk's threads.
    ///
    /// wrk passes the thread to its scripts, but not the connection. Work that keeps state for each
    /// connection therefore has one thread for each. Otherwise threads are few, because they take
    /// processor time from the service. Each thread calls one replica.
    pub fn threads(self, replicas: usize, connections: usize) -> usize {
        match self {
            Self::Me | Self::Login | Self::Register | Self::Refresh | Self::Logout => replicas.max(2),
            Self::Mixed => connections,
        }
    }

    /// Returns whether requests are sent for the whole duration. Logouts stop when no session is
    /// left.
    pub fn has_a_rate(self) -> bool {
        self != Self::Logout
    }
}
