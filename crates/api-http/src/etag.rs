//! Entity tags (RFC 9110, section 8.8.3). All are strong: a tag names one state of what it tags.

use actix_web::http::header::{self, HeaderName};
use domain::{
    audit::ChainEnd,
    jwk::JwkSet,
    revision::Revision,
    user::{User, UserId, UserRevision},
};
use std::fmt;
use uuid::Uuid;

/// An entity tag, displayed with its quotes. Opaque to clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntityTag(String);

impl EntityTag {
    /// The tag of a role.
    pub fn of_role(revision: Revision) -> Self {
        Self(revision.to_string())
    }

    /// The tag of a user. It contains the id because `PUT /roles/update` finds users by login,
    /// which can pass to another user.
    pub fn of_user(user: &User) -> Self {
        Self::of(UserRevision {
            user: user.id,
            revision: user.revision,
        })
    }

    /// The tag of a key set. A key's id is the digest of the key, so every replica with these keys
    /// sends this tag.
    pub fn of_keys(keys: &JwkSet) -> Self {
        let ids: Vec<_> = keys.keys.iter().map(|key| key.kid.as_str()).collect();
        Self(ids.join("."))
    }

    /// The tag of a checkpoint of the audit log. One position has one checkpoint.
    pub fn of_checkpoint(end: ChainEnd) -> Self {
        Self(format!("{}.{}", end.number, end.seal))
    }

    /// The tag of a public key: its text, which has only letters, digits, `+`, `/` and `=`.
    pub fn of_checkpoint_key(key: &str) -> Self {
        Self(key.to_owned())
    }

    /// The tag of a file in an encoding, from a digest of its contents.
    pub fn of_file(digest: u64, encoding: &str) -> Self {
        Self(format!("{digest:016x}-{encoding}"))
    }

    /// The `ETag` header.
    pub fn header(&self) -> (HeaderName, String) {
        (header::ETAG, self.to_string())
    }

    /// Returns the role's revision in `opaque`, the text of a tag without its quotes.
    pub fn role_revision(opaque: &str) -> Option<Revision> {
        let revision = opaque.parse().map(Revision).ok()?;
        (Self::of_role(revision).0 == opaque).then_some(revision)
    }

    /// Returns the user and the revision in `opaque`, the text of a tag without its quotes.
    pub fn user_revision(opaque: &str) -> Option<UserRevision> {
        let (id, revision) = opaque.split_once('.')?;
        let named = UserRevision {
            user: UserId(Uuid::parse_str(id).ok()?),
            revision: Revision(revision.parse().ok()?),
        };
        (Self::of(named).0 == opaque).then_some(named)
    }

    fn of(UserRevision { user, revision }: UserRevision) -> Self {
        Self(format!("{}.{revision}", user.0))
    }
}

impl fmt::Display for EntityTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_exact_text_of_a_tag_is_parsed() {
        for (text, revision) in [
            ("0", Some(0)),
            ("17", Some(17)),
            ("017", None),
            ("+1", None),
            ("abc", None),
            ("", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(EntityTag::role_revision(text), revision.map(Revision), "{text}");
        }

        let id = "0190d6b8-7c5e-7c3a-8f6e-3d2b1a0f9e8d";
        for (text, revision) in [
            (format!("{id}.0"), Some(0)),
            (format!("{id}.17"), Some(17)),
            (format!("{id}.017"), None),
            (format!("{}.17", id.to_uppercase()), None),
            (format!("{}.17", id.replace('-', "")), None),
            (id.to_owned(), None),
            ("17".to_owned(), None),
            (String::new(), None),
        ] {
            let user = UserId(Uuid::parse_str(id).expect("an id"));
            let expected = revision.map(|revision| UserRevision {
                user,
                revision: Revision(revision),
            });
            assert_eq!(EntityTag::user_revision(&text), expected, "{text}");
        }
    }
}
