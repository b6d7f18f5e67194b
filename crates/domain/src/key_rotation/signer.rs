use crate::replica::ReplicaSettings;

/// Returns the key with which a replica signs: the first of `candidates`, the most preferred first,
/// that each of the `others` accepts. If there is none, the first candidate signs, because a replica
/// cannot sign with a key that it does not have.
#[must_use]
pub fn choose_signer<'a>(candidates: &'a [String], others: &[ReplicaSettings]) -> Option<&'a str> {
    choose(candidates, others, |other, kid| other.accepted_keys.contains(kid))
}

/// Returns the fingerprint of the key with which a replica makes refresh tokens, by the rule of
/// [`choose_signer`].
#[must_use]
pub fn choose_refresh_key<'a>(candidates: &'a [String], others: &[ReplicaSettings]) -> Option<&'a str> {
    choose(candidates, others, ReplicaSettings::accepts_refresh_key)
}

fn choose<'a>(
    candidates: &'a [String],
    others: &[ReplicaSettings],
    accepts: impl Fn(&ReplicaSettings, &str) -> bool,
) -> Option<&'a str> {
    let mut accepted = candidates
        .iter()
        .filter(|key| others.iter().all(|other| accepts(other, key)));
    let chosen = accepted.next();
    chosen.or(candidates.first()).map(String::as_str)
}
