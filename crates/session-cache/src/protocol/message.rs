use super::{AnnouncementId, InvalidationScope, ReplicaId};
use domain::{session::SessionId, user::UserId};
use thiserror::Error;
use uuid::Uuid;

/// The first byte of every message.
const VERSION: u8 = 1;

const REVOKED: u8 = 1;
const ACKNOWLEDGED: u8 = 2;
const PROBE: u8 = 3;

const SESSION: u8 = 1;
const USER: u8 = 2;
const EVERYTHING: u8 = 3;

/// The most subjects of one message, which then has less than 32 KiB. More than that is [`InvalidationScope::Everything`].
const MAX_SUBJECTS: usize = 1500;

/// What processes tell each other over the [bus](crate::ports::InvalidationBus).
///
/// Version, kind and then, all of it big-endian: whose announcement (16 bytes) of which number (8); `Revoked` goes on with
/// the subjects, each a kind and 16 bytes, `Acknowledged` with who acknowledges (16). A probe is who sends it (16) and a
/// number (8).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Message {
    Revoked {
        announcement: AnnouncementId,
        subjects: Vec<InvalidationScope>,
    },
    Acknowledged {
        announcement: AnnouncementId,
        by: ReplicaId,
    },
    /// A replica finds out whether it hears itself.
    Probe { by: ReplicaId, number: u64 },
}

/// Bytes that are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Garbled {
    /// From another version of this program, so that it may mean anything: forget everything.
    #[error("the message is of a version or kind that is not known")]
    Unknown,
    /// Nobody sends this. Ignored, it is as good as lost.
    #[error("the message does not parse")]
    Malformed,
}

impl Message {
    /// What a revoker says. Too many subjects for one message are everything.
    #[must_use]
    pub fn revoked(announcement: AnnouncementId, mut subjects: Vec<InvalidationScope>) -> Self {
        subjects.sort_unstable();
        subjects.dedup();
        if subjects.len() > MAX_SUBJECTS || subjects.contains(&InvalidationScope::Everything) {
            subjects = vec![InvalidationScope::Everything];
        }
        Self::Revoked {
            announcement,
            subjects,
        }
    }

    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        match self {
            Self::Revoked {
                announcement,
                subjects,
            } => {
                write(&mut bytes, REVOKED, announcement.by, announcement.number);
                for subject in subjects {
                    let (kind, id) = match subject {
                        InvalidationScope::Session(id) => (SESSION, id.0),
                        InvalidationScope::User(id) => (USER, id.0),
                        InvalidationScope::Everything => (EVERYTHING, Uuid::nil()),
                    };
                    bytes.push(kind);
                    bytes.extend(id.as_bytes());
                }
            }
            Self::Acknowledged { announcement, by } => {
                write(&mut bytes, ACKNOWLEDGED, announcement.by, announcement.number);
                bytes.extend(by.0.as_bytes());
            }
            Self::Probe { by, number } => write(&mut bytes, PROBE, *by, *number),
        }
        bytes
    }

    /// # Errors
    /// [`Garbled`], which tells what to do about it.
    pub fn decode(bytes: &[u8]) -> Result<Self, Garbled> {
        let Some((&[VERSION, kind @ REVOKED..=PROBE], rest)) = bytes.split_first_chunk() else {
            return Err(match bytes {
                [] | [VERSION] => Garbled::Malformed,
                _ => Garbled::Unknown,
            });
        };
        Self::decode_body(kind, rest).ok_or(Garbled::Malformed)
    }

    fn decode_body(kind: u8, bytes: &[u8]) -> Option<Self> {
        let (by, bytes) = take_id(bytes)?;
        let (number, bytes) = bytes.split_first_chunk()?;
        let (by, number) = (ReplicaId(by), u64::from_be_bytes(*number));
        let announcement = AnnouncementId { by, number };
        match kind {
            REVOKED => Some(Self::Revoked {
                announcement,
                subjects: decode_subjects(bytes)?,
            }),
            ACKNOWLEDGED => match take_id(bytes)? {
                (by, []) => Some(Self::Acknowledged {
                    announcement,
                    by: ReplicaId(by),
                }),
                _ => None,
            },
            _ => bytes.is_empty().then_some(Self::Probe { by, number }),
        }
    }
}

fn write(bytes: &mut Vec<u8>, kind: u8, by: ReplicaId, number: u64) {
    bytes.push(kind);
    bytes.extend(by.0.as_bytes());
    bytes.extend(number.to_be_bytes());
}

fn decode_subjects(bytes: &[u8]) -> Option<Vec<InvalidationScope>> {
    let (subjects, []) = bytes.as_chunks::<17>() else {
        return None;
    };
    if subjects.is_empty() || subjects.len() > MAX_SUBJECTS {
        return None;
    }
    subjects.iter().map(decode_subject).collect()
}

fn decode_subject([kind, id @ ..]: &[u8; 17]) -> Option<InvalidationScope> {
    let id = Uuid::from_bytes(*id);
    match *kind {
        SESSION => Some(InvalidationScope::Session(SessionId(id))),
        USER => Some(InvalidationScope::User(UserId(id))),
        EVERYTHING => id.is_nil().then_some(InvalidationScope::Everything),
        _ => None,
    }
}

fn take_id(bytes: &[u8]) -> Option<(Uuid, &[u8])> {
    let (id, rest) = bytes.split_first_chunk()?;
    Some((Uuid::from_bytes(*id), rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn id() -> impl Strategy<Value = Uuid> {
        any::<u128>().prop_map(Uuid::from_u128)
    }

    fn announcement() -> impl Strategy<Value = AnnouncementId> {
        (id(), any::<u64>()).prop_map(|(by, number)| AnnouncementId {
            by: ReplicaId(by),
            number,
        })
    }

    fn subject() -> impl Strategy<Value = InvalidationScope> {
        prop_oneof![
            10 => id().prop_map(|id| InvalidationScope::Session(SessionId(id))),
            10 => id().prop_map(|id| InvalidationScope::User(UserId(id))),
            1 => Just(InvalidationScope::Everything),
        ]
    }

    fn message() -> impl Strategy<Value = Message> {
        let subjects = proptest::collection::vec(subject(), 1..40);
        prop_oneof![
            (announcement(), subjects).prop_map(|(of, subjects)| Message::revoked(of, subjects)),
            (announcement(), id()).prop_map(|(announcement, by)| Message::Acknowledged {
                announcement,
                by: ReplicaId(by)
            }),
            (id(), any::<u64>()).prop_map(|(by, number)| Message::Probe {
                by: ReplicaId(by),
                number
            }),
        ]
    }

    fn an_announcement() -> AnnouncementId {
        AnnouncementId {
            by: ReplicaId(Uuid::from_u128(1)),
            number: 2,
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_what_is_read(message in message()) {
            prop_assert_eq!(Message::decode(&message.encode()), Ok(message));
        }

        #[test]
        fn no_message_cut_short_is_another_message(message in message(), cut in any::<prop::sample::Index>()) {
            let bytes = message.encode();
            let cut = &bytes[..cut.index(bytes.len())];
            if let Ok(Message::Revoked { subjects, .. }) = Message::decode(cut) {
                // Fewer subjects than were sent: messages come whole or not at all, whatever the bus.
                prop_assert_eq!(cut.len(), 26 + 17 * subjects.len());
            } else {
                prop_assert_eq!(Message::decode(cut), Err(Garbled::Malformed));
            }
        }

        #[test]
        fn any_bytes_are_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            if let Ok(message) = Message::decode(&bytes) {
                prop_assert_eq!(message.encode(), bytes);
            }
        }

        #[test]
        fn any_body_of_a_known_kind_is_read_without_harm(
            kind in REVOKED..=PROBE,
            body in proptest::collection::vec(any::<u8>(), 0..100),
        ) {
            let bytes = [&[VERSION, kind], &body[..]].concat();
            match Message::decode(&bytes) {
                Ok(message) => prop_assert_eq!(message.encode(), bytes),
                Err(garbled) => prop_assert_eq!(garbled, Garbled::Malformed),
            }
        }
    }

    #[test]
    fn other_versions_and_kinds_are_unknown_and_nothing_at_all_is_malformed() {
        for (bytes, garbled) in [
            (&[][..], Garbled::Malformed),
            (&[1], Garbled::Malformed),
            (&[0], Garbled::Unknown),
            (&[2, 1], Garbled::Unknown),
            (&[1, 0], Garbled::Unknown),
            (&[1, 4, 0], Garbled::Unknown),
            (&[1, 1, 0], Garbled::Malformed),
        ] {
            assert_eq!(Message::decode(bytes), Err(garbled), "{bytes:?}");
        }
    }

    #[test]
    fn more_subjects_than_a_message_holds_are_everything() {
        let subject = |number| InvalidationScope::Session(SessionId(Uuid::from_u128(number)));
        let full: Vec<_> = (0..MAX_SUBJECTS as u128).map(subject).collect();
        let more: Vec<_> = (0..=MAX_SUBJECTS as u128).map(subject).collect();
        let subjects = |subjects| match Message::revoked(an_announcement(), subjects) {
            Message::Revoked { subjects, .. } => subjects,
            other => panic!("{other:?}"),
        };
        assert_eq!(subjects(full.clone()), full);
        assert!(Message::decode(&Message::revoked(an_announcement(), full).encode()).is_ok());
        assert_eq!(subjects(more), [InvalidationScope::Everything]);
        assert_eq!(
            subjects(vec![subject(2), subject(1), subject(2)]),
            [subject(1), subject(2)]
        );
    }
}
