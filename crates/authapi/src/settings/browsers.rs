//! Settings for web pages that call the service.

use api_http::{CookiePathPrefix, WebOrigin};
use serde::{Deserialize, Serialize};

/// Cross-origin resource sharing.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CorsSettings {
    /// Origins of the pages that may call the service, with cookies. Empty to admit none.
    pub origins: Vec<WebOrigin>,
}

/// Cookies.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CookiesSettings {
    /// The path below which clients reach the service.
    pub path_prefix: CookiePathPrefix,
}
