//! Progress of long tasks on standard error: a bar on a terminal, otherwise a line every few
//! seconds.

use indicatif::{ProgressBar, ProgressStyle};
use std::{
    io::{IsTerminal, stderr},
    time::{Duration, Instant},
};

/// The interval of progress lines without a terminal.
const PERIOD: Duration = Duration::from_secs(10);

/// The progress of a task.
pub struct Progress {
    what: &'static str,
    total: Option<u64>,
    /// `None` without a terminal.
    bar: Option<ProgressBar>,
    reported: Instant,
}

impl Progress {
    /// Starts a task of `total` steps, if known. `what` names the items that are counted.
    pub fn new(what: &'static str, total: Option<u64>) -> Self {
        Self {
            what,
            total,
            bar: stderr().is_terminal().then(|| bar(total)),
            reported: Instant::now(),
        }
    }

    /// Reports that `step` steps are done and `count` items are counted.
    pub fn update(&mut self, step: u64, count: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(step);
            bar.set_message(format!("{count} {}", self.what));
        } else if self.reported.elapsed() >= PERIOD {
            self.reported = Instant::now();
            eprintln!("{}", self.line(step, count));
        }
    }

    /// Prints a line above the bar.
    pub fn print(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| eprintln!("{line}")),
            None => eprintln!("{line}"),
        }
    }

    fn line(&self, step: u64, count: u64) -> String {
        match self.total {
            Some(total) if total > 0 => {
                let percent = u128::from(step) * 100 / u128::from(total);
                format!("{count} {} ({percent} %)", self.what)
            }
            _ => format!("{count} {}", self.what),
        }
    }
}

/// Removes the bar.
impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn bar(total: Option<u64>) -> ProgressBar {
    let (bar, template) = match total {
        Some(total) => (
            ProgressBar::new(total),
            "{wide_bar} {percent:>3} %  {msg}  {eta} left",
        ),
        None => (ProgressBar::no_length(), "{spinner} {msg}  {elapsed}"),
    };
    bar.with_style(ProgressStyle::with_template(template).expect("the template is valid"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_shows_the_count_and_the_percentage() {
        let progress = |total| Progress {
            what: "users",
            total,
            bar: None,
            reported: Instant::now(),
        };
        assert_eq!(progress(Some(200)).line(50, 7), "7 users (25 %)");
        assert_eq!(progress(Some(0)).line(0, 0), "0 users");
        assert_eq!(progress(None).line(50, 7), "7 users");
    }
}
