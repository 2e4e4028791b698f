//! How near to the question a passage has to be.

/// Cosines come as `f32`; one that lies on the bound is within it.
const TOLERANCE: f64 = 1e-6;

/// The largest squared Euclidean distance between the unit vectors of question and passage: `d = 2 - 2 cos`, from 0 for
/// the same direction to 4 for opposite ones. KAITO's thresholds are of this kind.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Threshold(f64);

/// A number that is no distance.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq)]
#[error("a similarity threshold is a squared distance of at least 0, not {0}")]
pub struct ParseThreshold(pub f64);

impl Threshold {
    /// A bound on the squared distance.
    ///
    /// # Errors
    /// When the number is negative or none.
    pub fn from_squared_distance(squared_distance: f64) -> Result<Self, ParseThreshold> {
        if squared_distance >= 0.0 {
            Ok(Self(squared_distance))
        } else {
            Err(ParseThreshold(squared_distance))
        }
    }

    /// The same bound as a cosine, which has to be at least this; below -1 everything is near enough.
    pub fn cosine(self) -> f64 {
        1.0 - self.0 / 2.0
    }

    /// Whether a passage of this cosine similarity is near enough.
    pub fn admits(self, cosine: f32) -> bool {
        2.0 - 2.0 * f64::from(cosine) <= self.0 + TOLERANCE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distance_and_its_cosine_are_one_bound() {
        for (distance, cosine) in [(0.0, 1.0), (0.85, 0.575), (2.0, 0.0), (4.0, -1.0)] {
            let threshold = Threshold::from_squared_distance(distance).unwrap();
            assert!((threshold.cosine() - cosine).abs() < 1e-9, "{distance}");
            #[expect(clippy::cast_possible_truncation, reason = "scores are of single precision")]
            let score = cosine as f32;
            assert!(threshold.admits(score), "{distance}");
            assert!(!threshold.admits(score - 0.001), "{distance}");
        }
    }

    #[test]
    fn a_number_that_is_no_distance_is_refused() {
        for refused in [-0.1, f64::NEG_INFINITY, f64::NAN] {
            assert!(Threshold::from_squared_distance(refused).is_err(), "{refused}");
        }
        assert!(Threshold::from_squared_distance(f64::INFINITY).unwrap().admits(-1.0));
    }

    #[test]
    fn a_cosine_that_is_no_number_is_never_near() {
        assert!(!Threshold::from_squared_distance(4.0).unwrap().admits(f32::NAN));
    }
}
