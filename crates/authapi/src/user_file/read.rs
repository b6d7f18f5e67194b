use super::{FIELDS, NO_ROLES, Refusal, formulas};
use chrono::{DateTime, Datelike, SubsecRound, Utc};
use csv::{ReaderBuilder, StringRecord};
use domain::use_cases::ImportRequest;
use serde_json::{Map, Value};

const NOT_JSON: Refusal = Refusal::new("not_json", "the line is not a complete JSON object");
const MISSING: Refusal = Refusal::new("missing_field", "login and password_hash are required");
const UNKNOWN: Refusal = Refusal::new(
    "unknown_field",
    "the fields are login, password_hash, roles, disabled, created_at and password_expires_at",
);

/// Parses lines into users.
pub enum UserReader {
    Jsonl,
    /// The column names, once the first line has been read.
    Csv(Option<StringRecord>),
}

impl UserReader {
    /// Parses a line; returns `None` for the header line of a CSV file.
    ///
    /// # Errors
    /// If the line is not a valid user or header.
    pub fn read(&mut self, line: &str) -> Result<Option<ImportRequest>, Refusal> {
        match self {
            Self::Jsonl => from_json(line).map(Some),
            Self::Csv(None) => {
                *self = Self::Csv(Some(columns(line)?));
                Ok(None)
            }
            Self::Csv(Some(columns)) => from_csv(columns, line).map(Some),
        }
    }

    /// Returns whether the header line was invalid, so that the file cannot be read.
    #[must_use]
    pub fn has_no_columns(&self) -> bool {
        matches!(self, Self::Csv(None))
    }
}

fn from_json(line: &str) -> Result<ImportRequest, Refusal> {
    // Errors of serde quote the line.
    let mut fields: Map<String, Value> = serde_json::from_str(line).map_err(|_| NOT_JSON)?;
    if !fields.keys().all(|name| FIELDS.contains(&name.as_str())) {
        return Err(UNKNOWN);
    }
    let mut take = |name: &str| fields.remove(name).filter(|value| !value.is_null());
    Ok(ImportRequest {
        login: text("login", take("login"))?.ok_or(MISSING)?,
        password_hash: text("password_hash", take("password_hash"))?.ok_or(MISSING)?,
        roles: take("roles").map(roles).transpose()?,
        disabled: match take("disabled") {
            None => false,
            Some(Value::Bool(disabled)) => disabled,
            Some(_) => return Err(Refusal::field("disabled", "true or false")),
        },
        created_at: time("created_at", take("created_at"))?,
        password_expires_at: time("password_expires_at", take("password_expires_at"))?,
    })
}

fn text(name: &str, value: Option<Value>) -> Result<Option<String>, Refusal> {
    match value {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Refusal::field(name, "a text")),
    }
}

fn roles(value: Value) -> Result<Vec<String>, Refusal> {
    let refused = || Refusal::field("roles", "a list of names");
    let Value::Array(names) = value else {
        return Err(refused());
    };
    let name = |name| match name {
        Value::String(name) => Ok(name),
        _ => Err(refused()),
    };
    names.into_iter().map(name).collect()
}

fn time(name: &str, value: Option<Value>) -> Result<Option<DateTime<Utc>>, Refusal> {
    let time = text(name, value)?;
    time.map(|text| instant(name, &text)).transpose()
}

fn instant(name: &str, text: &str) -> Result<DateTime<Utc>, Refusal> {
    let instant = DateTime::parse_from_rfc3339(text).map(|instant| instant.to_utc());
    match instant {
        // With an offset, the year in UTC may be one that RFC 3339 cannot express. An export would
        // contain it.
        Ok(instant) if (0..=9999).contains(&instant.year()) => {
            // Storage has a resolution of microseconds.
            Ok(instant.trunc_subsecs(6))
        }
        _ => Err(Refusal::field(name, "an instant such as 2026-01-31T12:00:00Z")),
    }
}

fn columns(line: &str) -> Result<StringRecord, Refusal> {
    let names = fields(line)?;
    let count = |name: &str| names.iter().filter(|known| *known == name).count();
    if !names.iter().all(|name| FIELDS.contains(&name)) {
        return Err(UNKNOWN);
    }
    if count("login") == 0 || count("password_hash") == 0 {
        return Err(MISSING);
    }
    match FIELDS.into_iter().find(|name| count(name) > 1) {
        Some(name) => Err(Refusal::field(name, "one column")),
        None => Ok(names),
    }
}

fn from_csv(columns: &StringRecord, line: &str) -> Result<ImportRequest, Refusal> {
    let fields = fields(line)?;
    if fields.len() != columns.len() {
        return Err(Refusal::NOT_CSV);
    }
    let find = |name: &str| {
        let named = columns.iter().zip(&fields).find(|(column, _)| *column == name);
        named.map(|(_, field)| field).filter(|field| !field.is_empty())
    };
    let time = |name: &str| find(name).map(|text| instant(name, text)).transpose();
    Ok(ImportRequest {
        login: formulas::original(find("login").ok_or(MISSING)?).to_owned(),
        password_hash: find("password_hash").ok_or(MISSING)?.to_owned(),
        roles: find("roles").map(|names| match names {
            NO_ROLES => Vec::new(),
            names => names.split_ascii_whitespace().map(ToOwned::to_owned).collect(),
        }),
        disabled: match find("disabled") {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => return Err(Refusal::field("disabled", "true or false")),
        },
        created_at: time("created_at")?,
        password_expires_at: time("password_expires_at")?,
    })
}

/// Parses the fields of one line (RFC 4180). Unlike in the RFC, a field cannot span lines, so an
/// unclosed quote affects only one line.
fn fields(line: &str) -> Result<StringRecord, Refusal> {
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .buffer_capacity(line.len())
        .from_reader(line.as_bytes());
    let mut record = StringRecord::new();
    match reader.read_record(&mut record) {
        Ok(true) => Ok(record),
        _ => Err(Refusal::NOT_CSV),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "$2b$10$abcdefghijklmnopqrstuv";

    fn csv(head: &str, line: &str) -> Result<ImportRequest, Refusal> {
        let mut reader = UserReader::Csv(None);
        assert!(reader.read(head)?.is_none());
        Ok(reader.read(line)?.expect("the line is a valid user"))
    }

    fn jsonl(line: &str) -> Result<ImportRequest, Refusal> {
        Ok(UserReader::Jsonl.read(line)?.expect("the line is a valid user"))
    }

    #[test]
    fn both_formats_parse_to_equal_users() {
        let head = "login,password_hash,roles,disabled,created_at,password_expires_at";
        for (json, line) in [
            (
                format!(r#"{{"login":"ann","password_hash":"{HASH}"}}"#),
                format!("ann,{HASH},,,,"),
            ),
            (
                format!(
                    r#"{{"login":"ann","password_hash":"{HASH}","roles":["a","b"],"disabled":true,"created_at":"2020-01-31T12:00:00+01:00","password_expires_at":"2020-02-01T12:00:00Z"}}"#
                ),
                format!("ann,\"{HASH}\",a b,true,2020-01-31T11:00:00Z,2020-02-01T12:00:00Z"),
            ),
            (
                format!(r#"{{"login":"ann","password_hash":"{HASH}","roles":[],"disabled":false}}"#),
                format!("ann,{HASH},-,false,,"),
            ),
            (
                format!(
                    r#"{{"id":"7","login":"ann","password_hash":"{HASH}","roles":null,"last_login_at":null}}"#
                ),
                format!("ann,{HASH},,,,"),
            ),
        ] {
            let (one, other) = (
                jsonl(&json).expect("the line is a valid user"),
                csv(head, &line).expect("the line is a valid user"),
            );
            assert_eq!(format!("{one:?}"), format!("{other:?}"), "{json}");
        }
    }

    #[test]
    fn an_invalid_line_is_refused_with_a_code_and_not_quoted() {
        for (line, code) in [
            ("SECRET", "not_json"),
            (r#"["SECRET"]"#, "not_json"),
            (r#"{"login":"SECRET""#, "not_json"),
            (r#"{"login":"SECRET"}"#, "missing_field"),
            (r#"{"login":"SECRET","password_hash":null}"#, "missing_field"),
            (r#"{"login":"a","password_hash":"b","SECRET":1}"#, "unknown_field"),
            (r#"{"login":"a","password_hash":["SECRET"]}"#, "wrong_field"),
            (
                r#"{"login":"a","password_hash":"b","disabled":"SECRET"}"#,
                "wrong_field",
            ),
            (
                r#"{"login":"a","password_hash":"b","roles":"SECRET"}"#,
                "wrong_field",
            ),
            (r#"{"login":"a","password_hash":"b","roles":[1]}"#, "wrong_field"),
            (
                r#"{"login":"a","password_hash":"b","created_at":"SECRET"}"#,
                "wrong_field",
            ),
            (
                r#"{"login":"a","password_hash":"b","password_expires_at":"SECRET"}"#,
                "wrong_field",
            ),
            (
                r#"{"login":"a","password_hash":"b","created_at":"0000-01-01T00:00:00+23:59"}"#,
                "wrong_field",
            ),
        ] {
            let refusal = jsonl(line).expect_err(line);
            assert_eq!(refusal.code, code, "{line}");
            assert!(!refusal.text.contains("SECRET"), "{}", refusal.text);
        }
    }

    #[test]
    fn columns_must_be_named_and_every_line_must_have_as_many_fields() {
        for (head, code) in [
            ("login,hash", "unknown_field"),
            ("login,roles", "missing_field"),
            ("login,login,password_hash", "wrong_field"),
        ] {
            assert_eq!(csv(head, "a,b").expect_err(head).code, code);
        }
        for (line, code) in [
            ("a", "not_csv"),
            ("a,b,c", "not_csv"),
            ("\"a,b", "not_csv"),
            ("a,", "missing_field"),
            (",b", "missing_field"),
        ] {
            let refusal = csv("login,password_hash", line).expect_err(line);
            assert_eq!(refusal.code, code, "{line}");
        }
    }
}
