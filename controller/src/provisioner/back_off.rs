//! How soon a machine is asked for again.
//!
//! Karpenter deletes a NodeClaim that it cannot launch. Asking again at once would make a loop of it.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// Time between the first and the second request; each further one takes twice as long.
const FIRST: Duration = Duration::from_secs(10);
/// Longest time between two requests.
const LONGEST: Duration = Duration::from_secs(300);
/// When a refused request for a machine is made again, if no watch brings a look before.
pub(crate) const REFUSED_AGAIN: Duration = Duration::from_secs(30);

/// When each owner last asked for machines.
#[derive(Default)]
pub(crate) struct BackOff(Mutex<HashMap<String, Asked>>);

struct Asked {
    last: Instant,
    times: u32,
}

impl BackOff {
    /// Says that an owner (by its uid) wants to ask now.
    ///
    /// # Errors
    ///
    /// It has to wait this long.
    pub(crate) fn ask(&self, uid: &str, now: Instant) -> Result<(), Duration> {
        let mut all = self.0.lock();
        let asked = all.entry(uid.to_owned()).or_insert(Asked { last: now, times: 0 });
        let pause = FIRST
            .saturating_mul(1 << asked.times.saturating_sub(1).min(10))
            .min(LONGEST);
        let left = (asked.last + pause).saturating_duration_since(now);
        if asked.times > 0 && !left.is_zero() {
            return Err(left);
        }
        *asked = Asked {
            last: now,
            times: asked.times.saturating_add(1),
        };
        Ok(())
    }

    /// An owner has its machines, or is gone.
    pub(crate) fn forget(&self, uid: &str) {
        self.0.lock().remove(uid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_further_request_for_a_machine_waits_longer_until_one_is_there() {
        let (back_off, start) = (BackOff::default(), Instant::now());
        assert_eq!(back_off.ask("a", start), Ok(()));
        assert_eq!(back_off.ask("a", start), Err(FIRST));
        assert_eq!(back_off.ask("b", start), Ok(()), "owners do not wait for each other");
        assert_eq!(back_off.ask("a", start + FIRST), Ok(()));
        assert_eq!(back_off.ask("a", start + FIRST), Err(FIRST * 2));
        back_off.forget("a");
        assert_eq!(back_off.ask("a", start + FIRST), Ok(()));
        let mut now = start + FIRST;
        for _ in 0..40 {
            now += LONGEST;
            assert_eq!(back_off.ask("a", now), Ok(()));
        }
        assert_eq!(back_off.ask("a", now), Err(LONGEST));
    }
}
