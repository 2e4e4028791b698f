//! What runs a batch. Two implementations: ours on `ort` for models of the catalogue, fastembed for the others.

mod fastembed;
mod onnx;

pub(super) use self::fastembed::FastembedRunner;
pub(super) use self::onnx::{OnnxOptions, OnnxRunner};
use super::tokenise::TokenisedText;
use crate::normalise::NoDirection;

/// A loaded model.
pub(super) trait ModelRunner: Send {
    /// One vector for each text, `[texts, dimension]`, of any length: the owner thread normalises.
    fn run(&mut self, texts: &[&TokenisedText]) -> Result<Vec<Vec<f32>>, RunFailure>;
}

/// Why a batch could not be run.
#[derive(Debug, thiserror::Error)]
pub(super) enum RunFailure {
    #[error("run session")]
    Session(#[from] ort::Error),
    #[error("run fastembed")]
    Fastembed(#[from] ::fastembed::Error),
    #[error("the model's first output is not of shape {expected:?}")]
    Shape { expected: Vec<usize> },
    #[error(transparent)]
    NoDirection(#[from] NoDirection),
}
