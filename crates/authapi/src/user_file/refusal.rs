use domain::{changes, ports::ForeignHashRefused, use_cases::ImportRefused};
use serde::Serialize;
use std::borrow::Cow;

/// The reason a line was refused. Never quotes the line, which contains a password hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// The stable code.
    pub code: Cow<'static, str>,
    pub text: Cow<'static, str>,
}

impl Refusal {
    /// The line exceeds the maximum length.
    pub const LINE_TOO_LONG: Self = Self::new("line_too_long", "the line has more than 65536 bytes");
    /// The line is not UTF-8.
    pub const NOT_UTF8: Self = Self::new("not_utf8", "the line is not UTF-8");
    /// The line has another number of fields than the header.
    pub const NOT_CSV: Self = Self::new(
        "not_csv",
        "the line has a different number of fields than the header",
    );

    /// Returns the refusal with this stable code and this explanation.
    #[must_use]
    pub const fn new(code: &'static str, text: &'static str) -> Self {
        Self {
            code: Cow::Borrowed(code),
            text: Cow::Borrowed(text),
        }
    }

    /// Returns the refusal of an invalid field.
    #[must_use]
    pub fn field(name: &str, must: &str) -> Self {
        Self {
            code: Cow::Borrowed("wrong_field"),
            text: Cow::Owned(format!("{name} must be {must}")),
        }
    }
}

impl From<ImportRefused> for Refusal {
    fn from(refused: ImportRefused) -> Self {
        let code = match &refused {
            ImportRefused::Login(login) => format!("login_{}", login.code()).into(),
            ImportRefused::Hash(ForeignHashRefused::UnknownForm) => "hash_unknown_form".into(),
            ImportRefused::Hash(ForeignHashRefused::Damaged(_)) => "hash_damaged".into(),
            ImportRefused::Hash(ForeignHashRefused::TooCostly(_)) => "hash_too_costly".into(),
            ImportRefused::Hash(ForeignHashRefused::TooWeak(_)) => "hash_too_weak".into(),
            ImportRefused::Role(_) => "not_a_role".into(),
            ImportRefused::CreatedInFuture => "created_in_future".into(),
            ImportRefused::Change(refusal) => refusal.code().into(),
        };
        let text = match refused {
            ImportRefused::Change(changes::Refusal::UnknownRole(_)) => {
                "the catalogue lacks one of the roles".into()
            }
            refused => refused.to_string().into(),
        };
        Self { code, text }
    }
}
