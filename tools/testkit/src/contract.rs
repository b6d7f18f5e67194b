//! The contract of each port, as plain functions: one case for every MUST that can be seen from outside. The macros at the
//! crate's root make a named test of each.

/// Exports the cases of one contract in a module of its own.
macro_rules! module {
    ($contract:ident: [$($case:ident),* $(,)?]) => {
        #[doc = concat!("Cases of `", stringify!($contract), "`.")]
        pub mod $contract {
            pub use crate::cases::$contract::{$($case),*};
        }
    };
}

/// Exports the cases of one contract.
macro_rules! functions {
    ($contract:ident: [$($case:ident),* $(,)?]) => {
        pub use crate::cases::$contract::{$($case),*};
    };
}

crate::storage_contract!(@each module);
crate::password_hasher_contract!(@each module);
crate::password_meter_contract!(@each module);
crate::token_contract!(@each module);
crate::refresh_token_mac_contract!(@each module);
crate::monotonic_clock_contract!(@each module);
crate::randomness_contract!(@each module);
crate::clock_contract!(@each module);

/// Cases of `throttle`, and what they take.
pub mod throttle {
    pub use crate::cases::throttle::FreshThrottle;

    crate::throttle_contract!(@each functions);
}

/// Cases of `invalidation_bus`, and what they take.
pub mod invalidation_bus {
    pub use crate::cases::invalidation_bus::FreshBus;

    crate::invalidation_bus_contract!(@each functions);
}

/// Cases of `replica_leases`, and what they take.
pub mod replica_leases {
    pub use crate::cases::replica_leases::FreshLeases;

    crate::replica_leases_contract!(@each functions);
}
