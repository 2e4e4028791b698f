//! Detectors of personal data: what a pattern finds, a checksum or a parser confirms wherever there is one.
//!
//! In several patterns a first alternative without a group stands for what only looks like the thing sought, such as a
//! longer run of digits. It is matched first and yields no value; so no look-around is needed, and nothing inside of it
//! is found.

use std::fmt;
use std::str::FromStr;

use crate::detector::Detector;

mod account;
mod card;
mod crypto;
mod network;
mod phone;
#[cfg(test)]
mod tests;

/// A kind of personal data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Entity {
    /// An e-mail address.
    Email,
    /// A telephone number: international, North American, or behind a national 0.
    Phone,
    /// A payment card's number that passes Luhn's check.
    CreditCard,
    /// An IPv4 address.
    IpAddress,
    /// An international bank account number with the right length and check digits for its country.
    Iban,
    /// A social security number of the United States, with separators, in an area that was given out.
    UsSsn,
    /// A Bitcoin or Ethereum address whose checksum holds, if it has one.
    CryptoAddress,
    /// An IPv6 address of somebody's, which the loopback address is not.
    Ipv6,
}

/// A name that is no [`Entity`]'s.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown entity {0:?}")]
pub struct UnknownEntity(String);

impl Entity {
    /// Every entity.
    pub const ALL: [Self; 8] = [
        Self::Email,
        Self::Phone,
        Self::CreditCard,
        Self::IpAddress,
        Self::Iban,
        Self::UsSsn,
        Self::CryptoAddress,
        Self::Ipv6,
    ];

    /// What is looked for unless a policy says otherwise: KAITO's four.
    pub const DEFAULT: [Self; 4] = [Self::Email, Self::Phone, Self::CreditCard, Self::IpAddress];

    /// The name in a policy.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Phone => "phone",
            Self::CreditCard => "credit_card",
            Self::IpAddress => "ip_address",
            Self::Iban => "iban",
            Self::UsSsn => "us_ssn",
            Self::CryptoAddress => "crypto_address",
            Self::Ipv6 => "ipv6",
        }
    }
}

impl fmt::Display for Entity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Entity {
    type Err = UnknownEntity;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|entity| entity.name().eq_ignore_ascii_case(name))
            .ok_or_else(|| UnknownEntity(name.to_owned()))
    }
}

/// The detectors of these entities, in this order; an entity may have several.
pub(crate) fn detectors(entities: &[Entity]) -> Vec<Detector> {
    entities
        .iter()
        .flat_map(|entity| match entity {
            Entity::Email => vec![network::email()],
            Entity::Phone => vec![phone::detector()],
            Entity::CreditCard => card::detectors(),
            Entity::IpAddress => vec![network::ipv4()],
            Entity::Iban => account::ibans(),
            Entity::UsSsn => vec![account::us_ssn()],
            Entity::CryptoAddress => crypto::detectors(),
            Entity::Ipv6 => vec![network::ipv6()],
        })
        .collect()
}
