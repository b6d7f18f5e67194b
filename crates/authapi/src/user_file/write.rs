use super::{NO_ROLES, formulas};
use chrono::{DateTime, SecondsFormat, Utc};
use domain::{
    role::{RoleName, RoleNames},
    user::{Credentials, UserStatus},
};
use serde::Serialize;
use std::io;

/// Formats users as lines of a file.
pub enum UserWriter {
    Jsonl { with_hashes: bool },
    Csv { with_hashes: bool },
}

/// A user in an export.
#[derive(Serialize)]
struct UserLine<'a> {
    id: String,
    login: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    password_hash: Option<&'a str>,
    roles: &'a RoleNames,
    disabled: bool,
    created_at: String,
    /// Until when the password opens a session, if it is a one-time password.
    #[serde(skip_serializing_if = "Option::is_none")]
    password_expires_at: Option<String>,
    last_login_at: Option<String>,
}

impl<'a> UserLine<'a> {
    fn new(credentials: &'a Credentials, with_hashes: bool) -> Self {
        let user = &credentials.user;
        Self {
            id: user.id.to_string(),
            login: user.login.as_typed(),
            password_hash: with_hashes.then(|| credentials.hash.as_phc()),
            roles: &user.roles,
            disabled: user.status == UserStatus::Disabled,
            created_at: instant(user.created_at),
            password_expires_at: user.one_time_password.map(|password| instant(password.ends_at())),
            last_login_at: user.last_login_at.map(instant),
        }
    }

    fn fields(self) -> Vec<String> {
        let roles: Vec<&str> = self.roles.iter().map(RoleName::as_str).collect();
        let roles = match roles.join(" ") {
            none if none.is_empty() => NO_ROLES.to_owned(),
            roles => roles,
        };
        let mut fields = vec![self.id, formulas::neutralised(self.login).into_owned()];
        fields.extend(self.password_hash.map(ToOwned::to_owned));
        fields.extend([
            roles,
            self.disabled.to_string(),
            self.created_at,
            self.password_expires_at.unwrap_or_default(),
            self.last_login_at.unwrap_or_default(),
        ]);
        fields
    }
}

fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

impl UserWriter {
    /// Returns the header line, if the format has one.
    #[must_use]
    pub fn head(&self) -> &'static str {
        match self {
            Self::Jsonl { .. } => "",
            Self::Csv { with_hashes: true } => {
                "id,login,password_hash,roles,disabled,created_at,password_expires_at,last_login_at\n"
            }
            Self::Csv { with_hashes: false } => {
                "id,login,roles,disabled,created_at,password_expires_at,last_login_at\n"
            }
        }
    }

    /// Formats `users` as lines.
    ///
    /// # Errors
    /// If serialisation fails, which does not depend on the users.
    pub fn write(&self, users: &[Credentials]) -> io::Result<Vec<u8>> {
        match self {
            Self::Jsonl { with_hashes } => {
                let mut bytes = Vec::new();
                for user in users {
                    serde_json::to_writer(&mut bytes, &UserLine::new(user, *with_hashes))?;
                    bytes.push(b'\n');
                }
                Ok(bytes)
            }
            Self::Csv { with_hashes } => {
                let mut writer = csv::Writer::from_writer(Vec::new());
                for user in users {
                    writer.write_record(UserLine::new(user, *with_hashes).fields())?;
                }
                writer
                    .into_inner()
                    .map_err(|error| io::Error::other(error.to_string()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::UserReader, *};
    use domain::{login::Login, one_time_password::OneTimePassword, password::PasswordHash};
    use proptest::prelude::*;
    use std::slice;
    use testkit::fixtures;

    fn credentials(roles: RoleNames) -> Credentials {
        let mut user = fixtures::a_user("Alice").registered_at(fixtures::at(7));
        user.roles = roles;
        user.status = UserStatus::Disabled;
        user.must_change_password = true;
        user.one_time_password = Some(OneTimePassword {
            expires_at: fixtures::at(9),
            used_at: Some(fixtures::at(8)),
        });
        Credentials {
            user,
            hash: PasswordHash::from_phc("$argon2id$v=19$m=64,t=1,p=1$a$b".to_owned()),
        }
    }

    #[test]
    fn a_written_file_can_be_read() {
        for roles in [RoleNames::new(), [RoleName::ADMIN, RoleName::USER].into()] {
            for (writer, mut reader) in [
                (UserWriter::Jsonl { with_hashes: true }, UserReader::Jsonl),
                (UserWriter::Csv { with_hashes: true }, UserReader::Csv(None)),
            ] {
                let user = credentials(roles.clone());
                let lines = writer
                    .write(slice::from_ref(&user))
                    .expect("memory can be written");
                let text = format!(
                    "{}{}",
                    writer.head(),
                    String::from_utf8(lines).expect("the lines are UTF-8")
                );
                let read: Vec<_> = text
                    .lines()
                    .filter_map(|line| reader.read(line).expect("the line is a valid user"))
                    .collect();
                assert_eq!(read.len(), 1, "{text}");
                assert_eq!(read[0].login, "Alice");
                assert_eq!(read[0].password_hash, user.hash.as_phc());
                let expected: Vec<String> = roles.iter().map(ToString::to_string).collect();
                assert_eq!(read[0].roles.as_ref(), Some(&expected));
                assert!(read[0].disabled);
                assert_eq!(read[0].created_at, Some(user.user.created_at));
                // A used password has ended.
                assert_eq!(read[0].password_expires_at, Some(fixtures::at(8)));
            }
        }
    }

    proptest! {
        #[test]
        fn every_login_survives_an_export_and_an_import_and_none_is_a_formula(
            // Logins of any characters, and ones that start like formulas.
            typed in "['=+@＝-]{0,3}[!-~]{1,20}|[a-z'=-]{3,6}",
        ) {
            let Ok(login) = Login::parse(&typed) else {
                return Ok(());
            };
            let mut user = credentials(RoleNames::new());
            user.user.login = login;
            for (writer, mut reader) in [
                (UserWriter::Jsonl { with_hashes: true }, UserReader::Jsonl),
                (UserWriter::Csv { with_hashes: true }, UserReader::Csv(None)),
            ] {
                let lines = writer.write(slice::from_ref(&user)).expect("memory can be written");
                let lines = String::from_utf8(lines).expect("the lines are UTF-8");
                let text = format!("{}{lines}", writer.head());
                let read: Vec<_> = text
                    .lines()
                    .filter_map(|line| reader.read(line).expect("the line is a valid user"))
                    .collect();
                prop_assert_eq!(&read[0].login, &user.user.login.as_typed());
                if matches!(writer, UserWriter::Csv { .. }) {
                    let (_, field) = lines.split_once(',').expect("the id comes first");
                    let cell = field.strip_prefix('"').unwrap_or(field);
                    prop_assert!(!cell.starts_with(['=', '+', '-', '@', '＝']), "{}", lines);
                }
            }
        }
    }

    #[test]
    fn hashes_are_omitted_by_default() {
        let user = credentials(RoleNames::new());
        for writer in [
            UserWriter::Jsonl { with_hashes: false },
            UserWriter::Csv { with_hashes: false },
        ] {
            let lines = writer
                .write(slice::from_ref(&user))
                .expect("memory can be written");
            let text = String::from_utf8(lines).expect("the lines are UTF-8");
            assert!(text.contains("Alice") && !text.contains("argon2"), "{text}");
            assert!(!writer.head().contains("password_hash"));
        }
    }
}
