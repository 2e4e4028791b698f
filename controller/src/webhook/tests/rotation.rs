//! When which certificate is made and served.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::{made, names};
use crate::webhook::CertificateLifetime;
use crate::webhook::certificate::Bundle;
use crate::webhook::rotation::{Circumstances, Step, after, next_step};
use crate::webhook::secret::{Contents, Ours};

const DAY: SignedDuration = SignedDuration::from_hours(24);

fn circumstances<'a>(names: &'a BTreeSet<String>, now: Timestamp, published: bool) -> Circumstances<'a> {
    Circumstances {
        now,
        names,
        lifetime: CertificateLifetime::default(),
        published,
    }
}

fn contents(ours: &Ours) -> Contents {
    Contents::Ours(Box::new(ours.clone()))
}

/// An announced certificate, and when it was announced.
fn announced(wanted: &BTreeSet<String>, ago: SignedDuration) -> (Ours, Timestamp) {
    let ours = made(wanted, DAY * 61);
    let at = Timestamp::now() - ago;
    let announced = after(&Step::Announce, Some(&ours), &circumstances(wanted, at, true));
    (announced.unwrap().unwrap(), at)
}

#[test]
fn a_certificate_is_renewed_after_two_thirds_of_its_time() {
    let (wanted, now) = (names(&["a"]), Timestamp::now());
    let step = |ours: &Ours, names: &BTreeSet<String>| next_step(&contents(ours), &circumstances(names, now, true));
    let young = made(&wanted, DAY * 59);
    let Step::Wait(Some(due)) = step(&young, &wanted) else {
        panic!("{:?}", step(&young, &wanted));
    };
    assert!(
        (due.duration_since(now + DAY)).abs() < SignedDuration::from_secs(5),
        "{due}"
    );
    assert_eq!(step(&made(&wanted, DAY * 61), &wanted), Step::Announce);
    assert!(matches!(step(&made(&wanted, DAY * 91), &wanted), Step::Replace(reason) if reason.contains("not valid")));
    let other = names(&["a", "b"]);
    assert_eq!(
        step(&young, &other),
        Step::Replace("it is not good for the name b".to_owned())
    );
    // Fewer names are enough.
    assert!(matches!(step(&made(&other, DAY), &wanted), Step::Wait(Some(_))));
}

#[test]
fn nothing_and_nonsense_are_replaced_and_what_others_keep_is_not() {
    let wanted = names(&["a"]);
    let serving = Box::new(made(&wanted, DAY * 100).serving);
    let step = |contents: Contents| next_step(&contents, &circumstances(&wanted, Timestamp::now(), false));
    assert!(matches!(step(Contents::Empty), Step::Replace(_)));
    assert_eq!(
        step(Contents::Garbage("why".to_owned())),
        Step::Replace("why".to_owned())
    );
    assert_eq!(step(Contents::AwaitingExternal(String::new())), Step::Wait(None));
    let external = Contents::External {
        serving,
        authorities: None,
    };
    assert_eq!(step(external), Step::Wait(None), "even when it has expired");
}

#[test]
fn an_announced_certificate_is_served_when_everybody_had_time_to_read_of_it() {
    let wanted = names(&["a"]);
    let step =
        |ours: &Ours, published| next_step(&contents(ours), &circumstances(&wanted, Timestamp::now(), published));
    let (fresh, at) = announced(&wanted, SignedDuration::from_secs(10));
    let settled = Timestamp::from_second(at.as_second() + 60).unwrap();
    assert_eq!(step(&fresh, true), Step::Wait(Some(settled)));
    let (settled, _) = announced(&wanted, SignedDuration::from_secs(62));
    assert_eq!(step(&settled, true), Step::Switch);
    let expired = settled.serving.not_after + SignedDuration::from_secs(1);
    assert_eq!(step(&settled, false), Step::Wait(Some(expired)));
    // Nothing is lost by it then.
    let circumstances = circumstances(&wanted, expired, false);
    assert_eq!(next_step(&contents(&settled), &circumstances), Step::Switch);
}

#[test]
fn what_is_served_goes_back_into_a_secret_that_was_emptied() {
    let wanted = names(&["a"]);
    let served = made(&wanted, DAY);
    let circumstances = circumstances(&wanted, Timestamp::now(), true);
    let replace = Step::Replace("emptied".to_owned());
    let written = after(&replace, Some(&served), &circumstances).unwrap().unwrap();
    assert_eq!(written.serving.certificate, served.serving.certificate);
    assert_eq!(written.authorities, served.authorities);
    let expired = made(&wanted, DAY * 91);
    let written = after(&replace, Some(&expired), &circumstances).unwrap().unwrap();
    assert_ne!(written.serving.certificate, expired.serving.certificate);
    assert!(!written.authorities.contains(&expired.authorities));
}

#[test]
fn two_releases_of_different_names_do_not_replace_each_others_certificates_for_ever() {
    let (old, new) = (names(&["old"]), names(&["new"]));
    let now = Timestamp::now();
    let mut ours = made(&old, DAY);
    let first = ours.authorities.clone();
    for wanted in [&new, &old] {
        let circumstances = circumstances(wanted, now, true);
        let step = next_step(&contents(&ours), &circumstances);
        if let Some(written) = after(&step, Some(&ours), &circumstances).unwrap() {
            assert_eq!(wanted, &new, "only the new release has to write");
            ours = written;
        }
    }
    assert_eq!(ours.serving.names, names(&["old", "new"]));
    assert!(
        ours.authorities.contains(&first),
        "replicas that still serve the old one are trusted"
    );
}

#[derive(Clone, Debug)]
enum Event {
    Pass(SignedDuration),
    Publish,
    Spoil,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever comes, what is served is trusted by who read the objects when the change before was published, unless
    /// what was served before was not good either.
    #[test]
    fn what_is_served_is_trusted_before_it_is_served(events in prop::collection::vec(prop_oneof![
        (1_i64..40 * 24).prop_map(|hours| Event::Pass(SignedDuration::from_hours(hours))),
        (1_i64..90).prop_map(|seconds| Event::Pass(SignedDuration::from_secs(seconds))),
        Just(Event::Publish),
        Just(Event::Spoil),
    ], 1..40)) {
        let wanted = names(&["a"]);
        let mut now = Timestamp::now();
        let mut ours = made(&wanted, SignedDuration::ZERO);
        let mut spoilt = false;
        let mut trusted: Bundle = ours.authorities.clone();
        for event in events {
            match event {
                Event::Pass(time) => now += time,
                Event::Publish => trusted = ours.authorities.clone(),
                Event::Spoil => spoilt = true,
            }
            for _ in 0..4 {
                let circumstances = circumstances(&wanted, now, trusted.contains(&ours.authorities));
                let held = if spoilt { Contents::Garbage(String::new()) } else { contents(&ours) };
                let step = next_step(&held, &circumstances);
                let was_good = ours.serving.check(&trusted, now).is_ok();
                let Some(written) = after(&step, Some(&ours), &circumstances).unwrap() else {
                    break;
                };
                spoilt = false;
                ours = written;
                prop_assert!(ours.serving.check(&ours.authorities, now).is_ok());
                if was_good {
                    prop_assert!(ours.serving.check(&trusted, now).is_ok(), "{step:?}");
                }
                prop_assert!(ours.authorities.iter().count() <= 2);
            }
            prop_assert!(ours.serving.check(&ours.authorities, now).is_ok());
        }
    }
}

#[test]
fn a_short_life_has_room_for_its_parts() {
    let wanted = names(&["a"]);
    let now = Timestamp::now();
    let lifetime = CertificateLifetime {
        validity: Duration::from_secs(12),
        settle: Duration::from_secs(1),
    };
    let at = |seconds| Circumstances {
        now: Timestamp::from_second(now.as_second() + seconds).unwrap(),
        names: &wanted,
        lifetime,
        published: true,
    };
    let made = after(&Step::Replace(String::new()), None, &at(0)).unwrap().unwrap();
    assert_eq!(next_step(&contents(&made), &at(0)), Step::Wait(Some(at(8).now)));
    assert_eq!(next_step(&contents(&made), &at(8)), Step::Announce);
    let announced = after(&Step::Announce, Some(&made), &at(8)).unwrap().unwrap();
    assert_eq!(next_step(&contents(&announced), &at(8)), Step::Wait(Some(at(9).now)));
    assert_eq!(next_step(&contents(&announced), &at(9)), Step::Switch);
    let switched = after(&Step::Switch, Some(&announced), &at(9)).unwrap().unwrap();
    assert!(switched.next.is_none());
    assert_eq!(next_step(&contents(&switched), &at(9)), Step::Wait(Some(at(16).now)));
}
