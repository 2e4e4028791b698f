//! MIG slices, by their profiles.

use std::num::NonZeroU32;

use super::Gpus;
use crate::byte_size::ByteSize;

/// The text is not a profile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{given:?} is not a MIG profile; write compute slices and memory, such as 1g.10gb")]
pub struct ParseMigProfile {
    given: String,
}

impl Gpus {
    /// A slice, from its profile such as `3g.20gb`. A fraction of a GB does not count.
    ///
    /// # Errors
    /// If it is not of this form.
    pub fn from_mig_profile(profile: &str) -> Result<Self, ParseMigProfile> {
        let memory = memory_of(profile).ok_or_else(|| ParseMigProfile {
            given: profile.to_owned(),
        })?;
        Ok(Self {
            count: NonZeroU32::MIN,
            memory: ByteSize::from_gib(memory),
            model: None,
            compute_capability: None,
            is_mig_slice: true,
        })
    }
}

fn memory_of(profile: &str) -> Option<u64> {
    let (slices, memory) = profile.strip_suffix("gb")?.split_once("g.")?;
    slices.parse::<u8>().ok()?;
    let (whole, fraction) = memory.split_once('.').unwrap_or((memory, "0"));
    fraction.parse::<u32>().ok()?;
    whole.parse().ok().filter(|gib| *gib > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_has_the_memory_that_its_profile_says() {
        for (profile, gib) in [("1g.10gb", 10), ("7g.141gb", 141), ("1g.5.9gb", 5)] {
            let slice = Gpus::from_mig_profile(profile).expect(profile);
            assert_eq!(slice.memory, ByteSize::from_gib(gib));
            assert!(slice.is_mig_slice);
        }
        for profile in [
            "",
            "1g",
            "g.10gb",
            "1g.gb",
            "1g.0gb",
            "1g.10",
            "mig-1g.10gb",
            "1g.10gb+me",
        ] {
            assert!(Gpus::from_mig_profile(profile).is_err(), "{profile}");
        }
    }
}
