//! Replays the kept inputs of every fuzz target, with a stable compiler and without libFuzzer.

use fuzz_targets::TARGETS;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus")
}

/// Returns the entries of a folder in the order of their names.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let read = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut entries: Vec<_> = read.map(|entry| entry.expect("an entry").path()).collect();
    entries.sort();
    entries
}

#[test]
fn every_kept_input_satisfies_its_target() {
    for (name, check) in TARGETS {
        let inputs = entries(&corpus().join(name));
        assert!(!inputs.is_empty(), "{name} has no kept inputs");
        for input in inputs {
            // Shown if the check fails.
            println!("{}", input.display());
            check(&fs::read(&input).expect("the input can be read"));
        }
    }
}

#[test]
fn every_kept_corpus_belongs_to_a_target() {
    let kept: BTreeSet<_> = entries(&corpus())
        .iter()
        .filter_map(|folder| Some(folder.file_name()?.to_str()?.to_owned()))
        .collect();
    let targets: BTreeSet<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(kept, targets);
}
