use crate::replica::ReplicaSettings;

/// Returns the key with which a replica signs: the first of `candidates`, the most preferred first,
/// that each of the `others` accepts. If there is none, the first candidate signs, because a replica
/// cannot sign with a key that it does not have.
#[must_use]
pub fn choose_signer<'a>(candidates: &'a [String], others: &[ReplicaSettings]) -> Option<&'a str> {
    let is_accepted = |kid: &&String| {
        others
            .iter()
            .all(|other| other.accepted_keys.contains(kid.as_str()))
    };
    let chosen = candidates.iter().find(is_accepted);
    chosen.or(candidates.first()).map(String::as_str)
}
