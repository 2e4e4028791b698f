//! A bound on how often something is written.
//!
//! Two controllers that want different things of one object (an old and a new release during an update, say) would
//! otherwise answer each other's writes as fast as the API server can.

use std::time::Duration;

use tokio::time::Instant;

/// So many writes may come at once.
const BURST: u32 = 5;
/// After that, one in this time.
const INTERVAL: Duration = Duration::from_secs(1);

/// Says when the next write may happen.
#[derive(Debug)]
pub(super) struct Pace {
    /// When the allowance is full again.
    full_at: Instant,
}

impl Pace {
    pub(super) fn new(now: Instant) -> Self {
        Self { full_at: now }
    }

    /// When the next write may happen: now or later.
    pub(super) fn next(&self, now: Instant) -> Instant {
        let earliest = self.full_at.checked_sub(INTERVAL * (BURST - 1));
        earliest.map_or(now, |earliest| earliest.max(now))
    }

    /// Notes that one happens.
    pub(super) fn spend(&mut self, now: Instant) {
        self.full_at = self.full_at.max(now) + INTERVAL;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_writes_come_at_once_and_then_one_a_second() {
        let start = Instant::now() + Duration::from_secs(1000);
        let mut pace = Pace::new(start);
        for _ in 0..BURST {
            assert_eq!(pace.next(start), start);
            pace.spend(start);
        }
        assert_eq!(pace.next(start), start + INTERVAL);
        let later = start + INTERVAL;
        assert_eq!(pace.next(later), later);
        pace.spend(later);
        assert_eq!(pace.next(later), later + INTERVAL);
        let rested = start + Duration::from_secs(60);
        for _ in 0..BURST {
            assert_eq!(pace.next(rested), rested);
            pace.spend(rested);
        }
        assert!(pace.next(rested) > rested);
    }
}
