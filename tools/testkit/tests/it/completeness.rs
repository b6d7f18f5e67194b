use std::{fs, path::Path};

/// A case that no macro names would never run, and nothing else would tell.
#[test]
fn every_case_of_every_contract_is_named_in_a_macro() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let macros = fs::read_to_string(sources.join("macros.rs")).expect("the macros");
    let named: Vec<_> = macros
        .lines()
        .map(|line| line.trim().trim_end_matches(','))
        .collect();
    let mut cases = 0;
    for file in fs::read_dir(sources.join("contract")).expect("the contracts") {
        let source = fs::read_to_string(file.expect("a file").path()).expect("a contract");
        let lines = source
            .lines()
            .map(|line| line.replacen("pub async fn", "pub fn", 1));
        for line in lines.filter(|line| line.starts_with("pub fn ")) {
            let name = line
                .trim_start_matches("pub fn ")
                .split('(')
                .next()
                .expect("a name");
            assert!(named.contains(&name), "{name}");
            cases += 1;
        }
    }
    assert!(cases > 90, "only {cases} cases were found");
}
