//! Tests of the webhooks that need no cluster.

mod admission;
mod certificates;
mod conversion;
mod injection;
mod rotation;
mod secret;
mod server;
mod settings;

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::CertificateLifetime;
use super::certificate::issue;
use super::secret::Ours;

fn names(all: &[&str]) -> BTreeSet<String> {
    all.iter().map(|&name| name.to_owned()).collect()
}

/// What a replica writes first, made so long ago.
fn made(names: &BTreeSet<String>, ago: SignedDuration) -> Ours {
    let now = Timestamp::now().saturating_sub(ago).unwrap();
    let (serving, authorities) = issue(names, now, CertificateLifetime::default().validity).unwrap();
    Ours {
        serving,
        authorities,
        next: None,
    }
}
