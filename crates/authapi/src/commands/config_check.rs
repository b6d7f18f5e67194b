use super::output;
use crate::{Failure, bus::BusKind, cli::Listing, settings::Loaded};

/// Prints the effective settings, one `NAME = value` per line, and in a comment the bus that
/// follows from them.
pub fn run(loaded: &Loaded, listing: Listing) -> Result<(), Failure> {
    let settings = loaded.effective();
    if listing.json {
        return output::json(&settings);
    }
    settings.iter().try_for_each(output::line)?;
    let bus = BusKind::of(&loaded.settings).name();
    output::line(format!("# invalidation bus: {bus}"))
}
