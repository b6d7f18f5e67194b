use domain::ports::PortError;
use std::time::Duration;
use tokio::time::sleep;

/// Maximum number of retries in a row.
const RETRIES: u32 = 10;

/// Calls `store` with `items` and returns its answer to each. If storage is too busy or too slow
/// for all at once, pauses and calls `store` with fewer items. A failed call may have stored items,
/// so `store` may receive an item again.
pub async fn store_with_retries<Item: Clone, Answer>(
    items: Vec<Item>,
    pause: Duration,
    store: impl AsyncFn(Vec<Item>) -> Result<Vec<Answer>, PortError>,
) -> Result<Vec<Answer>, PortError> {
    let mut answers = Vec::with_capacity(items.len());
    let (mut at_once, mut retries) = (items.len(), RETRIES);
    while let Some(left) = items.get(answers.len()..).filter(|left| !left.is_empty()) {
        match store(left.iter().take(at_once).cloned().collect()).await {
            Ok(stored) => {
                answers.extend(stored);
                retries = RETRIES;
            }
            Err(PortError::Overloaded | PortError::Unavailable(_)) if retries > 0 => {
                retries -= 1;
                at_once = (at_once / 2).max(1);
                sleep(pause).await;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(answers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    type Failure = fn() -> PortError;

    /// Stores eight items where the first calls fail; returns the result and the number of items of
    /// each call.
    async fn store(failures: &[Failure]) -> (Result<Vec<u32>, PortError>, Vec<usize>) {
        let calls = RefCell::new(Vec::new());
        let answers = store_with_retries((0..8).collect(), Duration::ZERO, async |items: Vec<u32>| {
            let turn = calls.borrow().len();
            calls.borrow_mut().push(items.len());
            failures.get(turn).map_or(Ok(items), |failure| Err(failure()))
        });
        (answers.await, calls.into_inner())
    }

    fn overloaded() -> PortError {
        PortError::Overloaded
    }

    fn too_slow() -> PortError {
        PortError::Unavailable("too slow".into())
    }

    #[tokio::test]
    async fn a_batch_too_large_for_storage_is_halved_and_every_item_is_stored_once() {
        let (answers, calls) = store(&[overloaded, too_slow]).await;
        assert_eq!(answers.expect("the retries succeed"), (0..8).collect::<Vec<_>>());
        assert_eq!(calls, [8, 4, 2, 2, 2, 2]);
    }

    #[tokio::test]
    async fn retries_stop_if_storage_stays_unavailable() {
        let (answers, calls) = store(&[too_slow as Failure; 20]).await;
        assert!(matches!(answers, Err(PortError::Unavailable(_))), "{answers:?}");
        assert_eq!(calls.len(), 11);
    }

    #[tokio::test]
    async fn corrupt_data_is_not_retried() {
        let (answers, calls) = store(&[|| PortError::Corrupt("a row".into())]).await;
        assert!(matches!(answers, Err(PortError::Corrupt(_))), "{answers:?}");
        assert_eq!(calls, [8]);
    }
}
