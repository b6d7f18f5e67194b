//! Simultaneous requests.

use crate::client::{Answer, Call};
use std::{collections::BTreeSet, sync::Arc};
use tokio::{
    sync::{Barrier, Mutex},
    task::JoinHandle,
};

/// Held during a burst of requests, so that bursts of different tests do not overlap.
pub static BURST: Mutex<()> = Mutex::const_new(());

/// Sends all calls at once, after other bursts have ended, and returns the answers in order.
pub async fn at_once(calls: Vec<Call>) -> Vec<Answer> {
    let _alone = BURST.lock().await;
    let start = Arc::new(Barrier::new(calls.len()));
    let tasks: Vec<JoinHandle<Answer>> = calls
        .into_iter()
        .map(|call| {
            let start = Arc::clone(&start);
            tokio::spawn(async move {
                start.wait().await;
                call.send().await
            })
        })
        .collect();
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await.expect("an answer"));
    }
    answers
}

/// Counts the answers of each kind.
pub fn tally(answers: &[Answer]) -> Vec<(u16, String, usize)> {
    let kind = |answer: &Answer| (answer.status, answer.code().to_owned());
    let kinds: BTreeSet<_> = answers.iter().map(kind).collect();
    kinds
        .into_iter()
        .map(|(status, code)| {
            let count = answers
                .iter()
                .filter(|answer| answer.status == status && answer.code() == code)
                .count();
            (status, code, count)
        })
        .collect()
}
