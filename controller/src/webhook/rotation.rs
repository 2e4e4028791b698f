//! When a certificate is made, announced and served.
//!
//! A certificate lives for two thirds of its time. Then a new one is *announced*: its authority is published beside the
//! old one, in the Secret and from there in every object that tells an API server whom to trust. When all of them say
//! so and API servers had time to read it, replicas *switch* to the new certificate. So there is no moment at which a
//! replica serves what an API server does not trust. The old authority stays published until the next rotation.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::certificate::{Identity, issue};
use super::secret::{Contents, Ours};
use super::settings::CertificateLifetime;

/// What a decision depends on, beside the Secret.
pub(super) struct Circumstances<'a> {
    /// The time.
    pub(super) now: Timestamp,
    /// Names that the certificate must be good for.
    pub(super) names: &'a BTreeSet<String>,
    /// How long certificates last.
    pub(super) lifetime: CertificateLifetime,
    /// Whether every object that should says to trust the authorities of the Secret.
    pub(super) published: bool,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing, until something changes or the time has come, if there is one.
    Wait(Option<Timestamp>),
    /// Make a certificate and serve it at once; why.
    Replace(String),
    /// Make a certificate and publish its authority.
    Announce,
    /// Serve the announced one.
    Switch,
}

/// What to do next.
pub(super) fn next_step(contents: &Contents, circumstances: &Circumstances<'_>) -> Step {
    match contents {
        Contents::Empty => Step::Replace("there is none yet".to_owned()),
        Contents::Garbage(reason) => Step::Replace(reason.clone()),
        Contents::External { .. } | Contents::AwaitingExternal(_) => Step::Wait(None),
        Contents::Ours(ours) => next_step_of_ours(ours, circumstances),
    }
}

fn next_step_of_ours(ours: &Ours, circumstances: &Circumstances<'_>) -> Step {
    let Circumstances {
        now,
        names,
        lifetime,
        published,
    } = *circumstances;
    let lacking = |identity: &Identity| match identity.check(&ours.authorities, now) {
        Err(reason) => Some(reason.to_string()),
        Ok(()) => names
            .difference(&identity.names)
            .next()
            .map(|name| format!("it is not good for the name {name}")),
    };
    let next = ours.next.as_ref().filter(|next| lacking(next).is_none());
    match (lacking(&ours.serving), next) {
        (Some(reason), None) => Step::Replace(reason),
        (Some(_), Some(_)) => Step::Switch,
        (None, None) => {
            let due = replacement_due(&ours.serving);
            if now < due {
                Step::Wait(Some(due))
            } else {
                Step::Announce
            }
        }
        (None, Some(next)) => {
            let settle = SignedDuration::try_from(lifetime.settle).unwrap_or(SignedDuration::MAX);
            let settled = next.issued_at().saturating_add(settle).unwrap_or(Timestamp::MAX);
            match (now < settled, published) {
                (true, _) => Step::Wait(Some(settled)),
                (false, true) => Step::Switch,
                // When it has expired there is nothing to lose any more.
                (false, false) => Step::Wait(Some(expired(&ours.serving))),
            }
        }
    }
}

/// When two thirds of its time are over.
fn replacement_due(identity: &Identity) -> Timestamp {
    let issued = identity.issued_at();
    let life = identity.not_after.duration_since(issued);
    issued.saturating_add(life * 2 / 3).unwrap_or(identity.not_after)
}

/// When it is no longer good: validity counts in whole seconds, the last one included.
fn expired(identity: &Identity) -> Timestamp {
    let second = SignedDuration::from_secs(1);
    identity.not_after.saturating_add(second).unwrap_or(Timestamp::MAX)
}

/// What the Secret should hold after a step, `Wait` aside. `held` is what it holds, or what this replica serves if the
/// Secret holds nothing of use.
pub(super) fn after(
    step: &Step,
    held: Option<&Ours>,
    circumstances: &Circumstances<'_>,
) -> Result<Option<Ours>, rcgen::Error> {
    let Circumstances {
        now, names, lifetime, ..
    } = *circumstances;
    Ok(match (step, held) {
        (Step::Wait(_), _) => None,
        (Step::Switch, Some(held)) => held.next.clone().map(|next| Ours {
            serving: next,
            authorities: held.authorities.clone(),
            next: None,
        }),
        (Step::Announce, Some(held)) => {
            let (next, authority) = issue(names, now, lifetime.validity)?;
            Some(Ours {
                serving: held.serving.clone(),
                authorities: held.serving.signers(&held.authorities, now).and(&authority),
                next: Some(next),
            })
        }
        (Step::Replace(_), Some(held)) if held.serving.check(&held.authorities, now).is_ok() => {
            if names.is_subset(&held.serving.names) {
                // The Secret was emptied or spoilt, and what is served is still good.
                return Ok(Some(held.clone()));
            }
            // Good but for a name. The old ones stay, or else two releases of different names, which run side by side
            // during an update, would replace each other's certificates for ever.
            let names = names.union(&held.serving.names).cloned().collect();
            let (serving, authority) = issue(&names, now, lifetime.validity)?;
            Some(Ours {
                serving,
                authorities: held.serving.signers(&held.authorities, now).and(&authority),
                next: None,
            })
        }
        (Step::Replace(_) | Step::Announce | Step::Switch, _) => {
            let (serving, authorities) = issue(names, now, lifetime.validity)?;
            Some(Ours {
                serving,
                authorities,
                next: None,
            })
        }
    })
}
