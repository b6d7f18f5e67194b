use super::output;
use crate::{Failure, cli::Listing, settings::Loaded};

/// Prints the effective settings, one `NAME = value` per line.
pub fn run(loaded: &Loaded, listing: Listing) -> Result<(), Failure> {
    let settings = loaded.effective();
    if listing.json {
        return output::json(&settings);
    }
    settings.iter().try_for_each(output::line)
}
