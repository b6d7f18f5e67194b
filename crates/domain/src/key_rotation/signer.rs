use crate::replica::ReplicaSettings;

/// Returns the key with which a replica signs: the first of `candidates`, the most preferred first,
/// that each of the `others` accepts. If there is none, most of them accept the key, because a
/// replica cannot sign with a key that it does not have.
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
    let acceptances = |key: &&String| others.iter().filter(|other| accepts(other, key)).count();
    // Of equal candidates, `max_by_key` returns the last one.
    let chosen = candidates.iter().rev().max_by_key(acceptances);
    chosen.map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::replica_settings;

    fn names(text: &str) -> Vec<String> {
        text.split_whitespace().map(ToOwned::to_owned).collect()
    }

    /// A replica that accepts signing keys and refresh keys with these names.
    fn accepting(keys: &str) -> ReplicaSettings {
        ReplicaSettings {
            accepted_keys: names(keys).into_iter().collect(),
            refresh_key: names(keys).remove(0),
            accepted_refresh_keys: names(keys).into_iter().collect(),
            ..replica_settings()
        }
    }

    #[test]
    fn the_most_preferred_key_that_most_replicas_accept_makes_tokens() {
        for (candidates, others, expected) in [
            ("", &["a"][..], None),
            ("a b", &[], Some("a")),
            ("a b", &["a b", "b a"], Some("a")),
            ("a b", &["a b", "b"], Some("b")),
            ("a b c", &["b c", "c b"], Some("b")),
            ("a b c", &["a c", "b c"], Some("c")),
            ("a b", &["c"], Some("a")),
            ("a b", &["c", "b"], Some("b")),
        ] {
            let candidates = names(candidates);
            let others: Vec<_> = others.iter().map(|keys| accepting(keys)).collect();
            assert_eq!(choose_signer(&candidates, &others), expected, "{candidates:?}");
            assert_eq!(
                choose_refresh_key(&candidates, &others),
                expected,
                "{candidates:?}"
            );
        }
    }
}
