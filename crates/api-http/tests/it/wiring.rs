//! The use cases over testkit's fakes.

use api_http::UseCases;
use domain::core::{Administration, Core};
use testkit::Fakes;

pub fn use_cases(fakes: &Fakes) -> UseCases {
    UseCases {
        core: Core::new(fakes.ports(), &Fakes::rules()),
        administration: Administration::new(fakes.administration_ports(), Fakes::administration_rules()),
        public_keys: fakes.tokens.keys.clone(),
        storage_health: fakes.storage.storage().health,
        redis_health: None,
        bus_health: None,
        session_bus: None,
        session_memory: None,
        clock_comparison: None,
    }
}
