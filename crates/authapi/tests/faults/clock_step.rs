//! Wall clocks that a test sets.

use std::{fs, path::Path};

/// Returns a command prefix that runs a program with its wall clock ahead by the offset in `file`.
/// Monotonic clocks are unchanged.
pub fn stepping(file: &Path) -> Vec<String> {
    let library = fs::read_dir("/usr/lib")
        .expect("a folder")
        .map(|entry| {
            entry
                .expect("an entry")
                .path()
                .join("faketime/libfaketimeMT.so.1")
        })
        .find(|path| path.exists())
        .expect("a clock to step: apt-get install faketime");
    [
        "env".to_owned(),
        format!("LD_PRELOAD={}", library.display()),
        format!("FAKETIME_TIMESTAMP_FILE={}", file.display()),
        "FAKETIME_NO_CACHE=1".to_owned(),
        "FAKETIME_DONT_FAKE_MONOTONIC=1".to_owned(),
    ]
    .into()
}
