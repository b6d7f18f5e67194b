//! The macros that declare the cases of a contract, and those that run them.
//!
//! A contract module declares each of its cases by name, once. The cases are private functions, so
//! the compiler reports a case that is not declared as dead code. The declaration exports a macro
//! that defines a named test for each case.
//!
//! Each exported macro takes the path of a function that creates the subject of one test. The
//! calling crate needs `tokio` with the features `macros` and `rt-multi-thread`, because cases run
//! calls in parallel.

/// Declares the contract of one module, and the macro that runs it.
macro_rules! contract {
    ($($declaration:tt)+) => {
        declare_cases! { ($) $($declaration)+ }
    };
}

/// Declares one of several modules of a [`part!`], and a macro with the name of the module.
macro_rules! cases {
    ($part:ident::$module:ident($subject:ty): $($case:ident,)+) => {
        declare_cases! {
            ($)
            #[doc(hidden)]
            $module = storage_cases for $part::cases::$module($subject): $($case,)+
        }
    };
}

/// Declares the modules of a contract, and the macro that runs their cases.
macro_rules! part {
    ($(#[$attribute:meta])* $contract:ident: $($module:ident,)+) => {
        declare_part! { ($) $(#[$attribute])* $contract: $($module,)+ }
    };
}

macro_rules! declare_cases {
    (
        ($dollar:tt)
        $(#[$attribute:meta])*
        $contract:ident = $runner:ident for $part:ident$(::$module:ident)*($subject:ty): $($case:ident,)+
    ) => {
        define_cases! { $runner($subject): $($case,)+ }

        $(#[$attribute])*
        #[macro_export]
        macro_rules! $contract {
            ($dollar fresh:path) => {
                $crate::$runner!($dollar fresh, [$part$(::$module)*], $($case),+);
            };
        }
    };
}

macro_rules! declare_part {
    (($dollar:tt) $(#[$attribute:meta])* $contract:ident: $($module:ident,)+) => {
        /// The cases by module, for callers that do not use the macros.
        pub mod cases {
            $(pub use super::$module::cases as $module;)+
        }

        $(#[$attribute])*
        #[macro_export]
        macro_rules! $contract {
            ($dollar fresh:path) => {
                $($crate::$module!($dollar fresh);)+
            };
        }
    };
}

macro_rules! define_cases {
    (sync_cases($subject:ty): $($case:ident,)+) => {
        /// The cases, for callers that do not use the macros. Each panics if the contract is
        /// violated.
        pub mod cases {
            use super::*;

            $(pub fn $case(subject: &$subject) {
                super::$case(subject);
            })+
        }
    };
    ($runner:ident($subject:ty): $($case:ident,)+) => {
        /// The cases, for callers that do not use the macros. Each panics if the contract is
        /// violated.
        pub mod cases {
            use super::*;

            $(pub async fn $case(subject: &$subject) {
                super::$case(subject).await;
            })+
        }
    };
}

/// Defines a named test for each case of the contracts of all storage ports, grouped in modules.
///
/// `$fresh` is an async function that returns a [`Storage`](crate::Storage) and a guard that keeps
/// it alive for the test. The storage is empty except for the built-in roles, and a
/// [`ToySealer`](crate::ToySealer) seals its audit log.
#[macro_export]
macro_rules! storage_contract {
    ($fresh:path) => {
        $crate::accounts_contract!($fresh);
        $crate::sessions_contract!($fresh);
        $crate::session_snapshots_contract!($fresh);
        $crate::audit_events_contract!($fresh);
        $crate::user_directory_contract!($fresh);
        $crate::session_directory_contract!($fresh);
        $crate::roles_contract!($fresh);
        $crate::machines_contract!($fresh);
        $crate::audit_log_contract!($fresh);
        $crate::audit_checkpoints_contract!($fresh);
        $crate::storage_health_contract!($fresh);
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! storage_cases {
    ($fresh:path, [$part:ident$(::cases::$module:ident)?], $($case:ident),+) => {
        $crate::case_module! { [$part $($module)?]
            use $crate::contract::$part::cases$(::$module)? as cases;

            $(#[tokio::test(flavor = "multi_thread")]
            async fn $case() {
                let (storage, _guard) = $fresh().await;
                cases::$case(&storage.into()).await;
            })+
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! async_cases {
    ($fresh:path, [$module:ident], $($case:ident),+) => {
        mod $module {
            use super::*;
            use $crate::contract::$module::cases;

            $(#[tokio::test(flavor = "multi_thread")]
            async fn $case() {
                cases::$case(&$fresh()).await;
            })+
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! sync_cases {
    ($fresh:path, [$module:ident], $($case:ident),+) => {
        mod $module {
            use super::*;
            use $crate::contract::$module::cases;

            $(#[test]
            fn $case() {
                cases::$case(&$fresh());
            })+
        }
    };
}

/// Defines a module with the last of the given names.
#[doc(hidden)]
#[macro_export]
macro_rules! case_module {
    ([$part:ident $module:ident] $($item:tt)+) => {
        $crate::case_module! { [$module] $($item)+ }
    };
    ([$module:ident] $($item:tt)+) => {
        mod $module {
            use super::*;

            $($item)+
        }
    };
}
