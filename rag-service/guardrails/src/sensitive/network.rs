//! E-mail and IP addresses.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::detector::{Candidate, Detector};

pub(super) fn email() -> Detector {
    Detector {
        name: "email".into(),
        pattern: r"(?-u:\b)[A-Za-z0-9._%+-]+@(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,}(?-u:\b)".to_owned(),
        keywords: vec!["@".to_owned()],
        accept: |_| true,
        label: Some("<EMAIL>"),
    }
}

/// Five numbers or more are an object identifier or a version.
pub(super) fn ipv4() -> Detector {
    Detector {
        name: "ip-address".into(),
        pattern: r"(?-u:\b)(?:[0-9]+(?:\.[0-9]+){4,}|([0-9]{1,3}(?:\.[0-9]{1,3}){3})(?-u:\b))".to_owned(),
        keywords: vec![".".to_owned()],
        accept: is_ipv4,
        label: Some("<IP_ADDRESS>"),
    }
}

/// The standard library refuses leading zeros, which some readers take for octal numbers.
fn is_ipv4(candidate: &Candidate<'_>) -> bool {
    candidate.value.parse::<Ipv4Addr>().is_ok()
}

/// Hexadecimal groups and colons, perhaps with an IPv4 address at the end. A colon behind it is
/// punctuation; a zone (`%eth0`) is left behind.
pub(super) fn ipv6() -> Detector {
    Detector {
        name: "ipv6".into(),
        pattern: r"(?-u:\b{start-half})(?:[0-9A-Fa-f]{1,4}|:)(?::[0-9A-Fa-f]{0,4}){0,7}(?::[0-9A-Fa-f]{1,4}(?:(?:\.[0-9]{1,3}){3})?|::)(?-u:\b{end-half})"
            .to_owned(),
        keywords: vec![":".to_owned()],
        accept: is_ipv6,
        label: Some("<IPV6_ADDRESS>"),
    }
}

/// `::1`, the slices `[::2]` and `[1::2]` and the Rust path `a::b2` are nobody's address: two groups are demanded, one of
/// them of three digits or more, which those of all networks in use have, and a digit that is no letter.
fn is_ipv6(candidate: &Candidate<'_>) -> bool {
    let groups: Vec<&str> = candidate.value.split(':').filter(|group| !group.is_empty()).collect();
    groups.len() >= 2
        && groups.iter().any(|group| group.len() > 2)
        && candidate.value.bytes().any(|byte| byte.is_ascii_digit())
        && candidate.value.parse::<Ipv6Addr>().is_ok()
}
