use super::mutant::Mutant;

/// A transaction that changes something and writes one event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Change {
    pub progress: Progress,
    /// The number of its pending event, once it has drawn one.
    pub seq: Option<i64>,
    /// The changes that its event depends on, one bit each: they committed before it locked a row
    /// that they had locked.
    pub depends_on: u8,
    /// Whether its pending row was removed.
    pub is_removed: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Progress {
    #[default]
    Waiting,
    /// It holds its row locks.
    Locked,
    /// It has stored its event.
    Stored,
    Committed,
    RolledBack,
}

impl Change {
    /// Returns the number of its pending row, if a sealer can see the row.
    pub fn pending(&self, mutant: Option<Mutant>) -> Option<i64> {
        let is_visible = match self.progress {
            Progress::Committed => true,
            Progress::Stored => mutant == Some(Mutant::SealingBeforeTheCommit),
            Progress::Waiting | Progress::Locked | Progress::RolledBack => false,
        };
        self.seq.filter(|_| is_visible && !self.is_removed)
    }

    /// Returns whether it holds row locks.
    pub fn holds_locks(&self, mutant: Option<Mutant>) -> bool {
        match self.progress {
            Progress::Stored => true,
            Progress::Locked => mutant != Some(Mutant::NumberDrawnBeforeTheLock),
            Progress::Waiting | Progress::Committed | Progress::RolledBack => false,
        }
    }

    /// Returns whether its event depends on that of the change with index `other`.
    pub fn is_after(&self, other: usize) -> bool {
        self.depends_on & (1 << other) != 0
    }
}
