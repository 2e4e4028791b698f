//! Embeddings: unit vectors, so that an inner product is a cosine.

/// A vector of length one, `[dimension]` of `f32`.
#[derive(Clone, Debug, PartialEq)]
pub struct Embedding(Vec<f32>);

/// Why a vector cannot be an embedding.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ParseEmbedding {
    /// No components.
    #[error("the embedding has no components")]
    Empty,
    /// A component is infinite or not a number.
    #[error("component {position} of the embedding is not a finite number")]
    NotFinite {
        /// 0-based position of the first such component.
        position: usize,
    },
    /// All components are zero: it has no direction.
    #[error("the embedding is the zero vector")]
    Zero,
}

impl Embedding {
    /// Scales a vector to length one.
    ///
    /// # Errors
    /// When it is empty, zero, or holds a component that is not finite.
    pub fn normalised(mut components: Vec<f32>) -> Result<Self, ParseEmbedding> {
        if components.is_empty() {
            return Err(ParseEmbedding::Empty);
        }
        if let Some(position) = components.iter().position(|component| !component.is_finite()) {
            return Err(ParseEmbedding::NotFinite { position });
        }
        let norm = components
            .iter()
            .map(|component| f64::from(*component).powi(2))
            .sum::<f64>()
            .sqrt();
        if norm == 0.0 {
            return Err(ParseEmbedding::Zero);
        }
        for component in &mut components {
            #[expect(clippy::cast_possible_truncation, reason = "a quotient of at most one fits an f32")]
            let scaled = (f64::from(*component) / norm) as f32;
            *component = scaled;
        }
        Ok(Self(components))
    }

    /// A vector read back from storage, where only normalised ones are written.
    pub fn from_stored(components: Vec<f32>) -> Self {
        Self(components)
    }

    /// The components, `[dimension]`.
    pub fn as_slice(&self) -> &[f32] {
        &self.0
    }

    /// Number of components.
    pub fn dimension(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_is_scaled_to_length_one() {
        assert_eq!(Embedding::normalised(vec![3.0, 4.0]).unwrap().as_slice(), [0.6, 0.8]);
    }

    #[test]
    fn vectors_without_a_direction_are_refused() {
        assert_eq!(Embedding::normalised(vec![]), Err(ParseEmbedding::Empty));
        assert_eq!(Embedding::normalised(vec![0.0, 0.0]), Err(ParseEmbedding::Zero));
        assert_eq!(
            Embedding::normalised(vec![1.0, f32::NAN]),
            Err(ParseEmbedding::NotFinite { position: 1 })
        );
    }
}
