/// The bounds of a search.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// The changes. Each is given by the rows that it locks, one bit for each row.
    pub changes: &'static [u8],
    /// Maximum number of sealers that try to seal at once.
    pub sealers: usize,
    /// Maximum number of events that one transaction seals. It may seal fewer, as after a failure.
    pub limit: usize,
    /// Maximum number of ranges in which sealers look. With one, the highest range is merged with
    /// the gaps below it; with more, only gaps are merged with each other.
    pub ranges: usize,
}
