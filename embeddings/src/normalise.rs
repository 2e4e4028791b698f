//! Scaling to length 1.

/// A vector without a direction: all zeros, or with a value that is not finite.
#[derive(Debug, thiserror::Error)]
#[error("the model answered a vector of {dimension} values that cannot be scaled to length 1")]
pub(crate) struct NoDirection {
    dimension: usize,
}

/// Scales `vector` to length 1 in place. The norm is summed in double precision, so that the length is 1 within the
/// rounding of single precision whatever the dimension.
pub(crate) fn normalise(vector: &mut [f32]) -> Result<(), NoDirection> {
    let norm = vector.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
    let scale = 1.0 / norm;
    if !norm.is_finite() || !scale.is_finite() {
        return Err(NoDirection {
            dimension: vector.len(),
        });
    }
    for value in vector {
        *value = narrow(f64::from(*value) * scale);
    }
    Ok(())
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the value is in -1..=1; rounding to single precision is wanted"
)]
fn narrow(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_gets_length_one_and_keeps_its_direction() {
        let mut vector = vec![3.0, 0.0, -4.0];
        normalise(&mut vector).expect("it has a direction");
        assert_eq!(vector, [0.6, 0.0, -0.8]);
        let mut tiny = vec![1e-30, 0.0];
        normalise(&mut tiny).expect("small is not zero");
        assert_eq!(tiny, [1.0, 0.0]);
    }

    #[test]
    fn zeros_and_values_that_are_not_finite_are_refused() {
        for mut vector in [vec![0.0, 0.0], vec![f32::NAN, 1.0], vec![f32::INFINITY, 1.0], vec![]] {
            assert!(normalise(&mut vector).is_err(), "{vector:?}");
        }
    }
}
