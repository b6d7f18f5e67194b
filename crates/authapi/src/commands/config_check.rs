use super::output;
use crate::{Failure, cli::Listing, settings::Loaded};

/// Prints the settings in force, one `NAME = value` a line.
pub fn run(loaded: &Loaded, listing: Listing) -> Result<(), Failure> {
    let settings = loaded.in_force();
    if listing.json {
        return output::json(&settings);
    }
    settings.iter().try_for_each(output::line)
}
