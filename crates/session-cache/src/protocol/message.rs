use super::ids::{PublicationId, ReplicaId};
use domain::{invalidation::InvalidationScope, machine::MachineId, session::SessionId, user::UserId};
use thiserror::Error;
use uuid::Uuid;

/// The first byte of every message.
const VERSION: u8 = 1;

const INVALIDATE: u8 = 1;
const ACKNOWLEDGE: u8 = 2;
const PROBE: u8 = 3;

const SESSION: u8 = 1;
const USER: u8 = 2;
const EVERYTHING: u8 = 3;
/// Unknown to earlier versions, which drop the message: the publisher waits for their leases. They
/// have no snapshots of machines.
const MACHINE: u8 = 4;

/// Maximum number of scopes in one message, which keeps it below 32 KiB. A longer list becomes
/// [`InvalidationScope::Everything`].
const MAX_SCOPES: usize = 1500;

/// A message between processes over the [bus](crate::ports::InvalidationBus).
///
/// A message starts with its version and kind, one byte each. `Invalidate` and `Acknowledge`
/// continue with the publication: the publisher (16 bytes) and the number (8 bytes). `Invalidate`
/// ends with the scopes, each a kind (1 byte) and an id (16 bytes), `Acknowledge` with the
/// acknowledging replica (16 bytes). `Probe` continues with its sender (16 bytes) and number (8
/// bytes). Numbers are big-endian.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Message {
    /// The scopes have changed: invalidate them and acknowledge.
    Invalidate {
        /// The publication to acknowledge.
        publication: PublicationId,
        /// What to invalidate, 1 to 1,500 scopes.
        scopes: Vec<InvalidationScope>,
    },
    /// `by` has invalidated the scopes of the publication.
    Acknowledge {
        /// The publication that was acknowledged.
        publication: PublicationId,
        /// The replica that invalidated its cache.
        by: ReplicaId,
    },
    /// A replica checks that the bus delivers its own messages to it.
    Probe {
        /// The sender.
        by: ReplicaId,
        /// Counts the sender's probes.
        number: u64,
    },
}

/// The error for bytes that are not a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// Another version of the program sent the message, so it may mean anything. The receiver
    /// invalidates everything.
    #[error("the message has an unknown version or kind")]
    Unknown,
    /// No version of the program sends these bytes. The receiver ignores them, as if the message
    /// was lost.
    #[error("the message is malformed")]
    Malformed,
}

impl Message {
    /// Creates an `Invalidate` message with sorted, distinct scopes. More than 1,500 scopes become
    /// [`InvalidationScope::Everything`].
    #[must_use]
    pub fn invalidate(publication: PublicationId, mut scopes: Vec<InvalidationScope>) -> Self {
        scopes.sort_unstable();
        scopes.dedup();
        if scopes.len() > MAX_SCOPES || scopes.contains(&InvalidationScope::Everything) {
            scopes = vec![InvalidationScope::Everything];
        }
        Self::Invalidate { publication, scopes }
    }

    /// Returns the message's bytes, less than 32 KiB.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        match self {
            Self::Invalidate { publication, scopes } => {
                write(&mut bytes, INVALIDATE, publication.publisher, publication.number);
                for scope in scopes {
                    write_scope(&mut bytes, *scope);
                }
            }
            Self::Acknowledge { publication, by } => {
                write(&mut bytes, ACKNOWLEDGE, publication.publisher, publication.number);
                bytes.extend(by.0.as_bytes());
            }
            Self::Probe { by, number } => write(&mut bytes, PROBE, *by, *number),
        }
        bytes
    }

    /// Parses a message from the bus.
    ///
    /// # Errors
    /// Returns [`DecodeError`], whose variants say how the receiver reacts.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let Some((&[VERSION, kind @ INVALIDATE..=PROBE], rest)) = bytes.split_first_chunk() else {
            return Err(match bytes {
                [] | [VERSION] => DecodeError::Malformed,
                _ => DecodeError::Unknown,
            });
        };
        Self::decode_body(kind, rest).ok_or(DecodeError::Malformed)
    }

    fn decode_body(kind: u8, bytes: &[u8]) -> Option<Self> {
        let (sender, bytes) = take_id(bytes)?;
        let (number, bytes) = bytes.split_first_chunk()?;
        let (sender, number) = (ReplicaId(sender), u64::from_be_bytes(*number));
        let publication = PublicationId {
            publisher: sender,
            number,
        };
        match kind {
            INVALIDATE => Some(Self::Invalidate {
                publication,
                scopes: decode_scopes(bytes)?,
            }),
            ACKNOWLEDGE => match take_id(bytes)? {
                (by, []) => Some(Self::Acknowledge {
                    publication,
                    by: ReplicaId(by),
                }),
                _ => None,
            },
            _ => bytes.is_empty().then_some(Self::Probe { by: sender, number }),
        }
    }
}

fn write(bytes: &mut Vec<u8>, kind: u8, sender: ReplicaId, number: u64) {
    bytes.push(kind);
    bytes.extend(sender.0.as_bytes());
    bytes.extend(number.to_be_bytes());
}

fn write_scope(bytes: &mut Vec<u8>, scope: InvalidationScope) {
    let (kind, id) = match scope {
        InvalidationScope::Session(id) => (SESSION, id.0),
        InvalidationScope::User(id) => (USER, id.0),
        InvalidationScope::Machine(id) => (MACHINE, id.0),
        InvalidationScope::Everything => (EVERYTHING, Uuid::nil()),
    };
    bytes.push(kind);
    bytes.extend(id.as_bytes());
}

fn decode_scopes(bytes: &[u8]) -> Option<Vec<InvalidationScope>> {
    let (scopes, []) = bytes.as_chunks::<17>() else {
        return None;
    };
    if scopes.is_empty() || scopes.len() > MAX_SCOPES {
        return None;
    }
    scopes.iter().map(decode_scope).collect()
}

fn decode_scope([kind, id @ ..]: &[u8; 17]) -> Option<InvalidationScope> {
    let id = Uuid::from_bytes(*id);
    match *kind {
        SESSION => Some(InvalidationScope::Session(SessionId(id))),
        USER => Some(InvalidationScope::User(UserId(id))),
        MACHINE => Some(InvalidationScope::Machine(MachineId(id))),
        EVERYTHING => id.is_nil().then_some(InvalidationScope::Everything),
        _ => None,
    }
}

fn take_id(bytes: &[u8]) -> Option<(Uuid, &[u8])> {
    let (id, rest) = bytes.split_first_chunk()?;
    Some((Uuid::from_bytes(*id), rest))
}

#[cfg(test)]
mod tests;
