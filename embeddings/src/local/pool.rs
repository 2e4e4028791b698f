//! From token vectors to one vector a text.

use kaito_presets::Pooling;
use ndarray::{ArrayView3, Axis, s};

/// `hidden` is `[batch, sequence, dimension]`, `lengths` the tokens of each text; what is behind them is padding. Gives
/// `[batch, dimension]`.
pub(super) fn pool(hidden: &ArrayView3<'_, f32>, lengths: &[usize], pooling: Pooling) -> Vec<Vec<f32>> {
    let sequence = hidden.dim().1;
    hidden
        .outer_iter()
        .zip(lengths)
        .map(|(tokens, length)| {
            let tokens = tokens.slice_move(s![..(*length).min(sequence), ..]);
            let pooled = match pooling {
                Pooling::Mean => tokens.mean_axis(Axis(0)),
                Pooling::Cls => tokens.outer_iter().next().map(|first| first.to_owned()),
                Pooling::LastToken => tokens.outer_iter().next_back().map(|last| last.to_owned()),
            };
            // A text without any token has no vector; the length check behind this refuses it.
            pooled.map(|vector| vector.to_vec()).unwrap_or_default()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use ndarray::Array3;

    use super::*;

    #[test]
    fn padding_takes_no_part_in_any_pooling() {
        let mut hidden = Array3::<f32>::from_elem((2, 3, 2), 99.0);
        for (text, token, vector) in [(0, 0, [1.0, 2.0]), (0, 1, [3.0, 6.0]), (1, 0, [5.0, 7.0])] {
            hidden[[text, token, 0]] = vector[0];
            hidden[[text, token, 1]] = vector[1];
        }
        let pooled = |pooling| pool(&hidden.view(), &[2, 1], pooling);
        assert_eq!(pooled(Pooling::Mean), [[2.0, 4.0], [5.0, 7.0]]);
        assert_eq!(pooled(Pooling::Cls), [[1.0, 2.0], [5.0, 7.0]]);
        assert_eq!(pooled(Pooling::LastToken), [[3.0, 6.0], [5.0, 7.0]]);
    }
}
