//! Settings of metrics and traces, both disabled by default.

use actix_web::http::Uri;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use std::{
    net::{IpAddr, Ipv4Addr},
    str::FromStr,
};

/// The listener that serves metrics to Prometheus.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MetricsSettings {
    pub host: IpAddr,
    /// The port. 0 selects a free port; `None` disables metrics.
    #[serde(deserialize_with = "parsed_if_any")]
    pub port: Option<u16>,
}

impl Default for MetricsSettings {
    fn default() -> Self {
        Self {
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: None,
        }
    }
}

/// Export of traces.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TracesSettings {
    /// The OpenTelemetry collector; `None` disables traces.
    pub otlp_endpoint: Option<CollectorUrl>,
    /// The fraction of the traces started here that is exported.
    pub sample_ratio: SampleRatio,
}

/// The base URL of an OTLP/HTTP receiver, such as `http://127.0.0.1:4318`: plain HTTP, without
/// user, query or fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectorUrl(String);

impl CollectorUrl {
    /// Returns the URL that traces are posted to (OTLP 1.0, "OTLP/HTTP Request").
    #[must_use]
    pub fn traces(&self) -> String {
        format!("{}/v1/traces", self.0)
    }
}

impl FromStr for CollectorUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url: Uri = text.parse().map_err(|_| "not a URL")?;
        let is_base = url.scheme_str() == Some("http")
            && url.host().is_some_and(|host| !host.is_empty())
            && url.query().is_none()
            && !text.contains(['#', '@']);
        if is_base {
            Ok(Self(text.trim_end_matches('/').to_owned()))
        } else {
            Err("not the base of an HTTP URL")
        }
    }
}

impl Serialize for CollectorUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for CollectorUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        parsed(&String::deserialize(deserializer)?)
    }
}

/// A number from 0 to 1, serialised as text because other settings have no fractions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SampleRatio(f64);

impl SampleRatio {
    /// Returns the fraction, from 0 to 1.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }
}

impl Default for SampleRatio {
    /// Keeps every trace.
    fn default() -> Self {
        Self(1.0)
    }
}

impl FromStr for SampleRatio {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let ratio = text.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio));
        ratio.map(Self).ok_or("not a number from 0 to 1")
    }
}

impl Serialize for SampleRatio {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for SampleRatio {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        parsed(&String::deserialize(deserializer)?)
    }
}

/// Parses an optional value. It arrives as text, because an unset default has no type.
fn parsed_if_any<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: std::fmt::Display>,
{
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| parsed(&text)).transpose()
}

fn parsed<T: FromStr<Err: std::fmt::Display>, E: Error>(text: &str) -> Result<T, E> {
    text.trim().parse().map_err(E::custom)
}
