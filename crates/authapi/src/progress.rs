//! How far long work has come, on standard error: a bar where somebody watches, else a line now and then.

use indicatif::{ProgressBar, ProgressStyle};
use std::{
    io::{IsTerminal, stderr},
    time::{Duration, Instant},
};

/// How often a line is written where there is no terminal.
const PERIOD: Duration = Duration::from_secs(10);

/// How far some work has come.
pub struct Progress {
    what: &'static str,
    total: Option<u64>,
    /// Where there is a terminal.
    bar: Option<ProgressBar>,
    told: Instant,
}

impl Progress {
    /// Work of `total` steps, if that is known; `what` is what is counted.
    pub fn new(what: &'static str, total: Option<u64>) -> Self {
        Self {
            what,
            total,
            bar: stderr().is_terminal().then(|| bar(total)),
            told: Instant::now(),
        }
    }

    /// `step` steps are done, with `count` of what is counted.
    pub fn reach(&mut self, step: u64, count: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(step);
            bar.set_message(format!("{count} {}", self.what));
        } else if self.told.elapsed() >= PERIOD {
            self.told = Instant::now();
            eprintln!("{}", self.line(step, count));
        }
    }

    /// Writes a line above the bar.
    pub fn say(&self, line: &str) {
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

/// The bar goes when the work has ended, well or not.
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
    bar.with_style(ProgressStyle::with_template(template).expect("a good template"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_how_much_and_how_far() {
        let progress = |total| Progress {
            what: "users",
            total,
            bar: None,
            told: Instant::now(),
        };
        assert_eq!(progress(Some(200)).line(50, 7), "7 users (25 %)");
        assert_eq!(progress(Some(0)).line(0, 0), "0 users");
        assert_eq!(progress(None).line(50, 7), "7 users");
    }
}
