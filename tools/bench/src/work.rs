//! The kinds of requests that are measured.

use clap::ValueEnum;
use serde::Serialize;

/// Connections of a run, unless it says how many.
pub const CONNECTIONS: usize = 64;

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

impl Work {
    pub const ALL: [Self; 6] = [
        Self::Me,
        Self::Login,
        Self::Register,
        Self::Refresh,
        Self::Logout,
        Self::Mixed,
    ];

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

    /// What wrk is told to do.
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

    /// wrk tells its scripts the thread and not the connection: where a connection needs a memory, each has a thread. Elsewhere
    /// threads are few, since they take the cores from what they measure; each calls one replica.
    pub fn threads(self, replicas: usize, connections: usize) -> usize {
        match self {
            Self::Me | Self::Login | Self::Register | Self::Refresh | Self::Logout => replicas.max(2),
            Self::Mixed => connections,
        }
    }

    /// Whether requests go on for the whole time. Sessions to log out of may run out before.
    pub fn has_a_rate(self) -> bool {
        self != Self::Logout
    }
}
