//! Combinations of valid settings that are probably mistakes.

use super::{Settings, layers::variable};
use actix_web::http::Uri;
use api_http::WebOrigin;
use std::fmt;

/// A combination of valid settings that is probably a mistake. `Display` states cause and remedy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsWarning {
    /// Identifies the combination, also in later versions.
    pub code: &'static str,
    text: String,
}

/// Returns the warnings about `settings`, which are valid and contain derived defaults.
#[must_use]
pub fn warnings(settings: &Settings) -> Vec<SettingsWarning> {
    let warnings = [
        cookie_path_mismatch(settings),
        issuer_not_public(settings),
        refresh_grace_missing(settings),
    ];
    warnings.into_iter().flatten().collect()
}

/// Both are the path below which clients reach the service: browsers do not return cookies with
/// another path.
fn cookie_path_mismatch(settings: &Settings) -> Option<SettingsWarning> {
    let issuer = &settings.tokens.issuer;
    let prefix = settings.cookies.path_prefix.as_str();
    let url = issuer.parse::<Uri>().ok()?;
    (url.path().trim_end_matches('/') != prefix).then(|| SettingsWarning {
        code: "cookie_path_mismatch",
        text: format!(
            "the path of {} ({issuer:?}) is not {} ({prefix:?}), so browsers may not return cookies; set both to \
             the path below which clients reach the service",
            variable("tokens.issuer"),
            variable("cookies.path_prefix"),
        ),
    })
}

/// Pages with HTTPS reach the service by another URL than one with HTTP, or one of their own
/// machine. The reverse, pages with HTTP and an issuer with HTTPS, is refused.
fn issuer_not_public(settings: &Settings) -> Option<SettingsWarning> {
    let issuer = WebOrigin::of_url(&settings.tokens.issuer)?;
    let mut pages = settings.cors.origins.iter().filter(|page| page.is_https());
    let page = pages.find(|page| !issuer.is_https() || (issuer.is_loopback() && !page.is_loopback()))?;
    Some(SettingsWarning {
        code: "issuer_not_public",
        text: format!(
            "{} is {:?}, which pages of {:?} in {} cannot reach or send cookies to; set it to the https URL by \
             which clients reach the service",
            variable("tokens.issuer"),
            settings.tokens.issuer,
            page.as_str(),
            variable("cors.origins"),
        ),
    })
}

/// Tabs of a browser share a refresh token, and may present it at the same time.
fn refresh_grace_missing(settings: &Settings) -> Option<SettingsWarning> {
    let cause = if !settings.cors.origins.is_empty() {
        "cors.origins"
    } else if !settings.cookies.path_prefix.as_str().is_empty() {
        "cookies.path_prefix"
    } else {
        return None;
    };
    settings.tokens.refresh_grace.is_zero().then(|| SettingsWarning {
        code: "refresh_grace_missing",
        text: format!(
            "{} is 0s although {} is set, so two tabs that refresh at the same time end their session; remove it, \
             or set it to 10s",
            variable("tokens.refresh_grace"),
            variable(cause),
        ),
    })
}

impl fmt::Display for SettingsWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{self, Sources};

    /// Returns the warnings about these settings, of which empty ones are not set.
    fn warnings_of(settings: &[(&str, &str)]) -> Vec<SettingsWarning> {
        let folder = tempfile::tempdir().expect("the folder can be created");
        let environment = settings
            .iter()
            .map(|(name, value)| (format!("AUTHAPI_{name}").into(), (*value).into()));
        let sources = Sources {
            directory: folder.path().to_owned(),
            environment: environment.collect(),
            config: None,
        };
        let loaded = settings::load(&sources).expect("the settings are valid");
        warnings(&loaded.settings)
    }

    fn has(code: &str, settings: &[(&str, &str)]) -> bool {
        warnings_of(settings).iter().any(|warning| warning.code == code)
    }

    #[test]
    fn the_defaults_and_the_documented_deployments_cause_no_warning() {
        for settings in [
            &[][..],
            &[
                ("TOKENS__ISSUER", "https://app.example.com/auth"),
                ("COOKIES__PATH_PREFIX", "/auth"),
            ],
            &[
                ("TOKENS__ISSUER", "https://auth.example.com"),
                ("CORS__ORIGINS", "https://app.example.com"),
            ],
            &[("CORS__ORIGINS", "http://localhost:5173")],
            &[
                ("TOKENS__ISSUER", "http://localhost:5173/auth"),
                ("COOKIES__PATH_PREFIX", "/auth"),
            ],
        ] {
            let found = warnings_of(settings);
            assert!(found.is_empty(), "{settings:?}: {found:?}");
        }
    }

    #[test]
    fn the_path_of_the_issuer_is_that_of_the_cookies() {
        for (issuer, prefix, is_warned) in [
            ("", "", false),
            ("", "/auth", true),
            ("https://a.example", "", false),
            ("https://a.example/", "", false),
            ("https://a.example/auth", "/auth", false),
            ("https://a.example/auth/", "/auth", false),
            ("https://a.example/auth", "", true),
            ("https://a.example", "/auth", true),
            ("https://a.example/auth", "/Auth", true),
            ("https://a.example/auth", "/auth/v1", true),
            ("https://a.example/x/auth", "/auth", true),
        ] {
            let settings = [("TOKENS__ISSUER", issuer), ("COOKIES__PATH_PREFIX", prefix)];
            assert_eq!(
                has("cookie_path_mismatch", &settings),
                is_warned,
                "{issuer} {prefix}"
            );
        }
    }

    #[test]
    fn pages_with_https_need_an_issuer_with_https_that_they_can_reach() {
        const APP: &str = "https://app.example";
        for (issuer, origins, is_warned) in [
            ("", "", false),
            ("", APP, true),
            ("", "http://localhost:5173", false),
            ("", "http://localhost:5173,https://app.example", true),
            ("", "https://localhost:5173", true),
            ("http://127.0.0.1:8000", APP, true),
            ("http://a.example", APP, true),
            ("http://a.example", "http://app.example", false),
            ("http://a.example", "", false),
            ("https://a.example", APP, false),
            ("https://a.example", "https://localhost:5173", false),
            ("https://localhost:8443", APP, true),
            ("https://[::1]:8443", APP, true),
            ("https://localhost:8443", "https://localhost:5173", false),
        ] {
            let settings = [("TOKENS__ISSUER", issuer), ("CORS__ORIGINS", origins)];
            assert_eq!(
                has("issuer_not_public", &settings),
                is_warned,
                "{issuer} {origins}"
            );
        }
    }

    #[test]
    fn pages_need_a_grace_window() {
        for (grace, origins, prefix, is_warned) in [
            ("0s", "", "", false),
            ("0s", "https://app.example", "", true),
            ("0s", "", "/auth", true),
            ("0s", "https://app.example", "/auth", true),
            ("1ms", "https://app.example", "/auth", false),
            ("", "https://app.example", "/auth", false),
        ] {
            let settings = [
                ("TOKENS__REFRESH_GRACE", grace),
                ("CORS__ORIGINS", origins),
                ("COOKIES__PATH_PREFIX", prefix),
            ];
            assert_eq!(
                has("refresh_grace_missing", &settings),
                is_warned,
                "{grace} {origins} {prefix}"
            );
        }
    }

    #[test]
    fn each_warning_names_the_settings_and_the_remedy() {
        let found = warnings_of(&[
            ("CORS__ORIGINS", "https://app.example"),
            ("COOKIES__PATH_PREFIX", "/auth"),
            ("TOKENS__REFRESH_GRACE", "0s"),
        ]);
        let lines: Vec<_> = found
            .iter()
            .map(|found| (found.code, found.to_string()))
            .collect();
        let expected = [
            (
                "cookie_path_mismatch",
                "the path of AUTHAPI_TOKENS__ISSUER (\"http://127.0.0.1:8000\") is not \
                 AUTHAPI_COOKIES__PATH_PREFIX (\"/auth\"), so browsers may not return cookies; set both to the \
                 path below which clients reach the service",
            ),
            (
                "issuer_not_public",
                "AUTHAPI_TOKENS__ISSUER is \"http://127.0.0.1:8000\", which pages of \"https://app.example\" in \
                 AUTHAPI_CORS__ORIGINS cannot reach or send cookies to; set it to the https URL by which clients \
                 reach the service",
            ),
            (
                "refresh_grace_missing",
                "AUTHAPI_TOKENS__REFRESH_GRACE is 0s although AUTHAPI_CORS__ORIGINS is set, so two tabs that \
                 refresh at the same time end their session; remove it, or set it to 10s",
            ),
        ];
        assert_eq!(lines, expected.map(|(code, line)| (code, line.to_owned())));
    }
}
