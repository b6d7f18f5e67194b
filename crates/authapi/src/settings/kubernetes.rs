//! Variables that Kubernetes sets in every container for each service of its namespace (Kubernetes
//! documentation, "Service", "Environment variables"). Those of services called `authapi` or
//! `authapi-..` begin with the prefix of the settings.

use std::net::{IpAddr, SocketAddr};

/// Returns whether a variable has the form of those for a service. `rest` is its name after
/// `AUTHAPI_`.
///
/// For a service `authapi-db`, these are `AUTHAPI_DB_SERVICE_HOST`, `.._SERVICE_PORT`,
/// `.._SERVICE_PORT_<NAME>`, `.._PORT`, and for each of its ports `.._PORT_<NUMBER>_<PROTOCOL>`,
/// alone and with `_PROTO`, `_PORT` and `_ADDR`.
pub fn is_service_variable(rest: &str, value: &str) -> bool {
    let words: Vec<&str> = rest.split('_').collect();
    let (service, has_form) = match words.as_slice() {
        [service @ .., "SERVICE", "HOST"] => (service, is_address(value)),
        // The second form is `.._PORT` of a service called `authapi-service`.
        [service @ .., "SERVICE", "PORT"] => (service, is_number(value) || is_url(value)),
        [service @ .., "PORT", number, protocol, part] if is_port_of(number, protocol) => {
            (service, is_part(part, number, protocol, value))
        }
        [service @ .., "PORT", number, protocol] if is_port_of(number, protocol) => (service, is_url(value)),
        [service @ .., "PORT"] => (service, is_url(value)),
        words => (before_named_port(words), is_number(value)),
    };
    // A service name ends with a letter or digit, so a word before the form is not empty. The
    // names of settings, with two underscores, have an empty one.
    has_form && service.last().is_none_or(|word| !word.is_empty())
}

/// Returns the words before `SERVICE_PORT_<NAME>`, or an empty word if there is no such form.
fn before_named_port<'a>(words: &'a [&'a str]) -> &'a [&'a str] {
    let form = words
        .windows(3)
        .position(|form| matches!(form, ["SERVICE", "PORT", name] if !name.is_empty()));
    form.and_then(|start| words.get(..start)).unwrap_or(&[""])
}

fn is_port_of(number: &str, protocol: &str) -> bool {
    is_number(number) && matches!(protocol, "TCP" | "UDP" | "SCTP")
}

fn is_part(part: &str, number: &str, protocol: &str, value: &str) -> bool {
    match part {
        "PROTO" => value.eq_ignore_ascii_case(protocol),
        "PORT" => value == number,
        "ADDR" => is_address(value),
        _ => false,
    }
}

fn is_number(text: &str) -> bool {
    text.parse::<u16>().is_ok()
}

fn is_address(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok()
}

fn is_url(text: &str) -> bool {
    text.split_once("://").is_some_and(|(protocol, address)| {
        matches!(protocol, "tcp" | "udp" | "sctp") && address.parse::<SocketAddr>().is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variables_of_every_service_are_recognised() {
        for service in [
            "",
            "REDIS_",
            "DB_",
            "REDIS_MASTER_0_",
            "SERVICE_",
            "PORT_",
            "A__B_",
        ] {
            for (form, value) in [
                ("SERVICE_HOST", "10.96.0.11"),
                ("SERVICE_HOST", "fd00::1"),
                ("SERVICE_PORT", "6379"),
                ("SERVICE_PORT_HTTP_METRICS", "9464"),
                ("PORT", "tcp://10.96.0.11:6379"),
                ("PORT", "udp://[fd00::1]:53"),
                ("PORT_5432_TCP", "tcp://10.96.0.11:5432"),
                ("PORT_5432_TCP_PROTO", "tcp"),
                ("PORT_5432_TCP_PORT", "5432"),
                ("PORT_5432_TCP_ADDR", "10.96.0.11"),
                ("PORT_53_UDP_ADDR", "fd00::1"),
            ] {
                let name = format!("{service}{form}");
                assert!(is_service_variable(&name, value), "{name}={value}");
            }
        }
    }

    #[test]
    fn settings_and_misspelt_settings_are_not() {
        for (name, value) in [
            ("REDIS__PROT", "6379"),
            ("REDIS_PORT", "6379"),
            ("REDIS_URL", "tcp://10.96.0.11:6379"),
            ("SERVER__PORT", "8000"),
            ("SERVER__PORT", "tcp://10.96.0.11:6379"),
            ("METRICS__PORT", "tcp://10.96.0.11:6379"),
            ("SERVER_PORT", "8000"),
            ("PORT", "8000"),
            ("SERVICE_HOST", "example.com"),
            ("SERVICE_PORT", "http"),
            ("SERVICE_PORT_", "80"),
            ("PORT_8000", "tcp://10.96.0.11:8000"),
            ("PORT_8000_HTTP", "tcp://10.96.0.11:8000"),
            ("PORT_8000_TCP_ADDR", "example.com"),
            ("PORT_8000_TCP_PORT", "8001"),
            ("PORT_8000_TCP_PROTO", "udp"),
            ("PORT_8000_TCP_NAME", "tcp"),
            ("SERVER__SERVICE_PORT_X", "80"),
        ] {
            assert!(!is_service_variable(name, value), "{name}={value}");
        }
    }
}
