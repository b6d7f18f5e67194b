use crate::failure::Failure;
use rustix::process::geteuid;
use std::{
    fs,
    os::unix::{fs::chown, process::CommandExt},
    path::Path,
    process::Command,
};

/// Unprivileged users, in order of preference. When the tests run as root, the first that exists
/// runs the servers, because Postgres refuses to run as root.
const UNPRIVILEGED: [&str; 2] = ["postgres", "nobody"];

/// The user and group that run the servers and own their files; `None` for the user and group of
/// the tests.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Owner(Option<(u32, u32)>);

impl Owner {
    /// Finds the user that runs the servers.
    pub(crate) fn find() -> Result<Self, Failure> {
        if !geteuid().is_root() {
            return Ok(Self(None));
        }
        let users = fs::read_to_string("/etc/passwd").map_err(Failure::file("cannot read", "/etc/passwd"))?;
        let ids = UNPRIVILEGED
            .iter()
            .find_map(|name| users.lines().find_map(|line| ids_of(name, line)));
        ids.map(|ids| Self(Some(ids))).ok_or(Failure::Missing {
            program: "an unprivileged user 'postgres' or 'nobody'",
            package: "postgresql",
        })
    }

    /// Makes this user the owner of `path`.
    pub(crate) fn take_over(self, path: &Path) -> Result<(), Failure> {
        match self.0 {
            Some((user, group)) => chown(path, Some(user), Some(group))
                .map_err(Failure::file("cannot change the owner of", path)),
            None => Ok(()),
        }
    }

    /// Makes `command` run as this user.
    pub(crate) fn run_as(self, command: &mut Command) -> &mut Command {
        match self.0 {
            Some((user, group)) => command.uid(user).gid(group),
            None => command,
        }
    }
}

fn ids_of(name: &str, line: &str) -> Option<(u32, u32)> {
    let mut fields = line.split(':');
    if fields.next()? != name {
        return None;
    }
    let user = fields.nth(1)?.parse().ok()?;
    let group = fields.next()?.parse().ok()?;
    Some((user, group))
}
