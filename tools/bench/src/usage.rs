//! The processor time and memory of processes, from `/proc`.

use anyhow::{Context, Result};
use procfs::process::{Process, all_processes};
use std::{collections::BTreeMap, fs, io::ErrorKind};

const MIB: f64 = 1024.0 * 1024.0;

/// A process whose usage is measured.
#[derive(Clone, Debug)]
pub struct Watched {
    pub name: String,
    pub pid: i32,
    /// Whether the process's children are included. Memory that they share is counted once, as far
    /// as the kernel reports it.
    pub with_children: bool,
}

impl Watched {
    /// Watches a single process, without its children.
    pub fn one(name: impl Into<String>, pid: i32) -> Self {
        Self {
            name: name.into(),
            pid,
            with_children: false,
        }
    }

    /// Returns the processor time used so far, in seconds.
    pub fn cpu_seconds(&self) -> Result<f64> {
        let own = Process::new(self.pid)?.stat()?;
        let mut ticks = own.utime + own.stime;
        if self.with_children {
            ticks += u64::try_from(own.cutime + own.cstime)?;
            for child in children(self.pid)? {
                // The parent's `cutime` contains the time of children that have ended.
                if let Ok(stat) = child.stat() {
                    ticks += stat.utime + stat.stime;
                }
            }
        }
        Ok(seconds(ticks))
    }

    /// Resets the peak of the process's memory. Only root may do this for the service; without it,
    /// the peak includes earlier use.
    pub fn reset_peak(&self) -> Result<()> {
        if self.with_children {
            return Ok(());
        }
        match fs::write(format!("/proc/{}/clear_refs", self.pid), "5") {
            Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(()),
            reset => reset.context("cannot reset the peak memory"),
        }
    }

    /// Returns the peak memory since the last [`reset_peak`](Self::reset_peak), in MiB. With
    /// children, returns the current memory.
    pub fn peak_mib(&self) -> Result<f64> {
        let own = Process::new(self.pid)?;
        if !self.with_children {
            let kib = own
                .status()?
                .vmhwm
                .context("the process has no memory statistics")?;
            return Ok(as_f64(kib) / 1024.0);
        }
        let family = children(self.pid)?.into_iter().chain([own]);
        Ok(family.filter_map(|it| proportional_mib(&it)).sum())
    }
}

/// Returns the processor time of the children of this process that have ended, in seconds.
pub fn of_ended_children() -> Result<f64> {
    let stat = Process::myself()?.stat()?;
    Ok(seconds(u64::try_from(stat.cutime + stat.cstime)?))
}

/// Returns the processor time of this process, in seconds.
pub fn of_this_process() -> Result<f64> {
    let stat = Process::myself()?.stat()?;
    Ok(seconds(stat.utime + stat.stime))
}

/// Returns the number of processors that each process kept busy between two measurements `wall`
/// seconds apart.
pub fn cores(
    before: &BTreeMap<String, f64>,
    after: &BTreeMap<String, f64>,
    wall: f64,
) -> BTreeMap<String, f64> {
    let cores = |(name, seconds): (&String, &f64)| {
        let spent = seconds - before.get(name).copied().unwrap_or_default();
        (name.clone(), spent / wall)
    };
    after.iter().map(cores).collect()
}

fn children(pid: i32) -> Result<Vec<Process>> {
    let of_pid = |process: &Process| process.stat().is_ok_and(|stat| stat.ppid == pid);
    Ok(all_processes()?.flatten().filter(of_pid).collect())
}

/// Returns `None` if the process has ended.
fn proportional_mib(process: &Process) -> Option<f64> {
    let rollup = process.smaps_rollup().ok()?.memory_map_rollup;
    let bytes = rollup.0.first()?.extension.map.get("Pss")?;
    Some(as_f64(*bytes) / MIB)
}

fn seconds(ticks: u64) -> f64 {
    as_f64(ticks) / as_f64(procfs::ticks_per_second())
}

/// Converts a count below 2^52 exactly.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts of processes are far below 2^52"
)]
pub fn as_f64(count: u64) -> f64 {
    count as f64
}
