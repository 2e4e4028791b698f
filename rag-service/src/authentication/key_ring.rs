//! All keys that open the service.

use subtle::{ConditionallySelectable, ConstantTimeEq};

use super::key::{CallerName, KeyDigest};

/// Keys and their callers, the last caller first.
#[derive(Debug, Default, PartialEq)]
pub(super) struct KeyRing {
    keys: Vec<(CallerName, KeyDigest)>,
}

impl KeyRing {
    pub(super) fn new(mut keys: Vec<(CallerName, KeyDigest)>) -> Self {
        keys.sort_by(|(one, _), (other, _)| other.cmp(one));
        Self { keys }
    }

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whose key this is. A key that two callers share is the first one's, which is looked at last. Every key is compared, whole digests, and the
    /// place of the right one is kept without a branch: how long it takes says neither which key is nearly right nor how
    /// much of it.
    pub(super) fn caller(&self, key: &[u8]) -> Option<&CallerName> {
        let digest = KeyDigest::of(key);
        let mut place = u64::MAX;
        for (position, (_, known)) in (0_u64..).zip(&self.keys) {
            place.conditional_assign(&position, digest.ct_eq(known));
        }
        let (caller, _) = self.keys.get(usize::try_from(place).ok()?)?;
        Some(caller)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(keys: &[(&str, &str)]) -> KeyRing {
        let keys = keys.iter().map(|(caller, key)| {
            let caller = CallerName::try_from(*caller).unwrap();
            (caller, KeyDigest::of_valid(key.as_bytes()).unwrap())
        });
        KeyRing::new(keys.collect())
    }

    #[test]
    fn a_whole_key_is_its_callers_and_nothing_else_is_anybodys() {
        let ring = ring(&[
            ("carol", "carols-key-0123456789"),
            ("alice", "alices-key-0123456789"),
            ("bob", "bobs-key-0123456789"),
        ]);
        for caller in ["alice", "bob", "carol"] {
            let key = format!("{caller}s-key-0123456789");
            assert_eq!(ring.caller(key.as_bytes()).map(CallerName::as_str), Some(caller));
        }
        for key in [
            "",
            "alices-key-012345678",
            "alices-key-01234567890",
            "Alices-key-0123456789",
            "alice",
        ] {
            assert_eq!(ring.caller(key.as_bytes()), None, "{key:?}");
        }
        assert_eq!(KeyRing::default().caller(b"alices-key-0123456789"), None);
    }

    #[test]
    fn a_shared_key_is_the_first_callers() {
        let ring = ring(&[("bob", "a-shared-key-0123456789"), ("alice", "a-shared-key-0123456789")]);
        assert_eq!(
            ring.caller(b"a-shared-key-0123456789").map(CallerName::as_str),
            Some("alice")
        );
    }
}
