/// The result of comparing this process's clock with that of the database.
pub trait ClockComparison: Send + Sync {
    /// Returns whether the clocks agreed when they were last compared; `None` if they never were.
    fn agrees(&self) -> Option<bool>;
}
