//! How the service is watched: metrics and traces, both off unless set.

use actix_web::http::Uri;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use std::{
    net::{IpAddr, Ipv4Addr},
    str::FromStr,
};

/// Where Prometheus finds the metrics.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MetricsSettings {
    pub host: IpAddr,
    /// 0 lets the system choose; without a port there are no metrics.
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

/// Where spans are sent.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TracesSettings {
    /// An OpenTelemetry collector; without one there are no traces.
    pub otlp_endpoint: Option<CollectorUrl>,
    /// Of the traces that begin here, how many are kept.
    pub sample_ratio: SampleRatio,
}

/// The base URL of an OTLP/HTTP receiver, as in `http://127.0.0.1:4318`. Plain HTTP, without user, query and fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectorUrl(String);

impl CollectorUrl {
    /// Where traces are posted (OTLP 1.0, "OTLP/HTTP Request").
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

/// A number from 0 to 1. Written as text, since settings have no other numbers with a point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SampleRatio(f64);

impl SampleRatio {
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }
}

impl Default for SampleRatio {
    /// Every trace.
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

/// What is not set has no type yet, so it comes as text.
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
