//! A migration that is added is compiled in without being asked for.

fn main() {
    println!("cargo:rerun-if-changed=../../migrations/postgres");
}
