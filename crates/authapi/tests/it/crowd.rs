//! Many requests at the same moment.

use crate::client::{Answer, Call};
use std::{collections::BTreeSet, sync::Arc};
use tokio::{
    sync::{Barrier, Mutex},
    task::JoinHandle,
};

/// Held by whoever keeps the machine busy on purpose: what a storm is answered must not hang on another test's storm.
pub static STORM: Mutex<()> = Mutex::const_new(());

/// Sends all calls at one moment, and lets no other storm blow meanwhile; the answers in the order of the calls.
pub async fn at_once(calls: Vec<Call>) -> Vec<Answer> {
    let _alone = STORM.lock().await;
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

/// How many answers there are of each kind.
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
