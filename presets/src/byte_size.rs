//! Amounts of memory and disk space.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

/// A number of bytes, written as Kubernetes does: `27.31Gi`, `512Mi`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Deserialize)]
#[serde(try_from = "String")]
pub struct ByteSize(u64);

/// The text is not an amount.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{given:?} is not a size; write a number and Ki, Mi, Gi or Ti, such as 27.31Gi")]
pub struct ParseByteSize {
    given: String,
}

const GIB: u64 = 1 << 30;

impl ByteSize {
    /// This many bytes.
    #[must_use]
    pub const fn from_bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// This many GiB.
    #[must_use]
    pub const fn from_gib(gib: u64) -> Self {
        Self(gib.saturating_mul(GIB))
    }

    /// The number of bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.0
    }

    /// Whole GiB, rounded down.
    #[must_use]
    pub const fn whole_gib(self) -> u64 {
        self.0 / GIB
    }

    /// The quantity for a resource of Kubernetes: in the largest unit of which it is a multiple.
    #[must_use]
    pub fn quantity(self) -> String {
        [("Gi", GIB), ("Mi", 1 << 20), ("Ki", 1 << 10)]
            .into_iter()
            .find(|(_, unit)| self.0.is_multiple_of(*unit))
            .map_or_else(|| self.0.to_string(), |(name, unit)| format!("{}{name}", self.0 / unit))
    }

    /// `numerator / denominator` of it, rounded down; all of `u64` instead of an overflow.
    pub(crate) fn scaled(self, numerator: u64, denominator: u64) -> Self {
        let scaled = u128::from(self.0) * u128::from(numerator) / u128::from(denominator.max(1));
        Self(u64::try_from(scaled).unwrap_or(u64::MAX))
    }

    pub(crate) const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    pub(crate) const fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

/// For people: in GiB with two decimals.
impl fmt::Display for ByteSize {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hundredths = (u128::from(self.0) * 100 + u128::from(GIB / 2)) / u128::from(GIB);
        write!(formatter, "{}.{:02} GiB", hundredths / 100, hundredths % 100)
    }
}

/// Rounded up to whole bytes.
impl FromStr for ByteSize {
    type Err = ParseByteSize;

    fn from_str(given: &str) -> Result<Self, ParseByteSize> {
        parse(given).ok_or_else(|| ParseByteSize {
            given: given.to_owned(),
        })
    }
}

impl TryFrom<String> for ByteSize {
    type Error = ParseByteSize;

    fn try_from(given: String) -> Result<Self, ParseByteSize> {
        given.parse()
    }
}

fn parse(given: &str) -> Option<ByteSize> {
    let (number, unit) = given.split_at_checked(given.len().checked_sub(2)?)?;
    let unit = match unit {
        "Ki" => 1_u128 << 10,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        "Ti" => 1 << 40,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |text: &str| !text.is_empty() && text.len() <= 9 && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return None;
    }
    let denominator = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    let numerator = whole.parse::<u128>().ok()? * denominator + fraction.parse::<u128>().ok()?;
    let bytes = (numerator * unit).div_ceil(denominator);
    u64::try_from(bytes).ok().map(ByteSize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_kubernetes_writes_them() {
        for (given, bytes) in [
            ("1Ki", 1024),
            ("0.5Mi", 512 * 1024),
            ("27.31Gi", 29_323_889_214),
            ("2Ti", 2 << 40),
        ] {
            assert_eq!(given.parse(), Ok(ByteSize::from_bytes(bytes)), "{given}");
        }
        for given in [
            "",
            "Gi",
            "1",
            "1G",
            "1GiB",
            "-1Gi",
            ".5Gi",
            "1.Gi",
            "1e3Gi",
            "1 Gi",
            "9999999999Ti",
            "é",
        ] {
            assert!(given.parse::<ByteSize>().is_err(), "{given}");
        }
    }

    #[test]
    fn a_quantity_reads_back_and_people_get_two_decimals() {
        assert_eq!(ByteSize::from_gib(107).quantity(), "107Gi");
        assert_eq!("1.5Gi".parse().map(ByteSize::quantity), Ok("1536Mi".to_owned()));
        assert_eq!(ByteSize::from_bytes(7).quantity(), "7");
        assert_eq!(
            "27.31Gi".parse::<ByteSize>().map(|size| size.to_string()),
            Ok("27.31 GiB".to_owned())
        );
    }
}
