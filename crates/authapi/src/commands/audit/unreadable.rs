use domain::audit::BrokenRow;

/// Returns what `audit list` and `audit follow` say about an event that cannot be read.
pub fn unreadable(event: BrokenRow) -> String {
    format!("{event}: a newer version or another program added or changed it")
}
