//! Whose the Lease is. Pure.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use tokio::time::Instant;

/// The Lease as it was last seen, and when it was first seen like that.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    lease: Option<Lease>,
    since: Option<Instant>,
}

impl Observed {
    /// It was seen like this.
    pub fn see(&mut self, lease: Option<Lease>, now: Instant) {
        let spec = |lease: &Option<Lease>| lease.as_ref().and_then(|lease| lease.spec.clone());
        if self.since.is_none() || spec(&self.lease) != spec(&lease) {
            self.since = Some(now);
        }
        self.lease = lease;
    }

    /// The Lease.
    pub fn lease(&self) -> Option<&Lease> {
        self.lease.as_ref()
    }
}

/// What to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// It is somebody else's.
    Wait,
    /// There is none: make this one.
    Create(Box<Lease>),
    /// It is one's own, or nobody's: make it this one.
    Replace(Box<Lease>),
}

/// Decides. `now` is for measuring; `time` is written down for people and never compared.
pub fn decide(observed: &Observed, identity: &str, duration: Duration, now: Instant, time: Timestamp) -> Decision {
    let seconds = i32::try_from(duration.as_secs().max(1)).unwrap_or(i32::MAX);
    let fresh = |transitions: i32| LeaseSpec {
        holder_identity: Some(identity.to_owned()),
        lease_duration_seconds: Some(seconds),
        acquire_time: Some(MicroTime(time)),
        renew_time: Some(MicroTime(time)),
        lease_transitions: Some(transitions),
        ..LeaseSpec::default()
    };
    let Some(lease) = &observed.lease else {
        return Decision::Create(Box::new(Lease {
            spec: Some(fresh(0)),
            ..Lease::default()
        }));
    };
    let spec = lease.spec.clone().unwrap_or_default();
    let holder = spec.holder_identity.as_deref().unwrap_or_default();
    let replace = |spec: LeaseSpec| {
        Decision::Replace(Box::new(Lease {
            spec: Some(spec),
            ..lease.clone()
        }))
    };
    if holder == identity {
        return replace(LeaseSpec {
            lease_duration_seconds: Some(seconds),
            renew_time: Some(MicroTime(time)),
            ..spec
        });
    }
    let lasts = u64::try_from(spec.lease_duration_seconds.unwrap_or_default()).unwrap_or_default();
    let unchanged = observed
        .since
        .map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
    if !holder.is_empty() && unchanged < Duration::from_secs(lasts) {
        return Decision::Wait;
    }
    replace(fresh(spec.lease_transitions.unwrap_or_default().saturating_add(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DURATION: Duration = Duration::from_secs(15);

    fn lease(holder: &str, renewed: i64) -> Lease {
        Lease {
            spec: Some(LeaseSpec {
                holder_identity: Some(holder.to_owned()),
                lease_duration_seconds: Some(15),
                renew_time: Some(MicroTime(Timestamp::from_second(renewed).unwrap())),
                lease_transitions: Some(4),
                ..LeaseSpec::default()
            }),
            ..Lease::default()
        }
    }

    fn decision(observed: &Observed, now: Instant) -> Decision {
        decide(
            observed,
            "me",
            DURATION,
            now,
            Timestamp::from_second(1_000_000).unwrap(),
        )
    }

    fn holder(decision: &Decision) -> Option<(&str, i32)> {
        let (Decision::Create(lease) | Decision::Replace(lease)) = decision else {
            return None;
        };
        let spec = lease.spec.as_ref()?;
        Some((spec.holder_identity.as_deref()?, spec.lease_transitions?))
    }

    #[test]
    fn a_lease_that_nobody_has_is_taken() {
        let now = Instant::now();
        let mut observed = Observed::default();
        observed.see(None, now);
        assert!(matches!(decision(&observed, now), Decision::Create(_)));
        assert_eq!(holder(&decision(&observed, now)), Some(("me", 0)));
        observed.see(Some(lease("", 1)), now);
        assert_eq!(holder(&decision(&observed, now)), Some(("me", 5)));
    }

    #[test]
    fn another_ones_lease_is_taken_only_when_it_has_not_changed_for_its_duration_here() {
        let start = Instant::now();
        let mut observed = Observed::default();
        // Its clock is years behind ours, or ahead: neither matters.
        observed.see(Some(lease("other", 5)), start);
        assert_eq!(
            decision(&observed, start + DURATION - Duration::from_millis(1)),
            Decision::Wait
        );
        observed.see(Some(lease("other", 6)), start + DURATION);
        assert_eq!(decision(&observed, start + DURATION), Decision::Wait, "it was renewed");
        observed.see(Some(lease("other", 6)), start + DURATION * 2);
        assert_eq!(holder(&decision(&observed, start + DURATION * 2)), Some(("me", 5)));
    }

    #[test]
    fn ones_own_lease_is_renewed_without_a_transition() {
        let now = Instant::now();
        let mut observed = Observed::default();
        observed.see(Some(lease("me", 5)), now);
        assert_eq!(holder(&decision(&observed, now)), Some(("me", 4)));
    }
}
