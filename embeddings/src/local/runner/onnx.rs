//! Runs an ONNX text encoder through `ort`: padding, masks, and pooling are ours.

use std::borrow::Cow;
use std::path::Path;

use kaito_presets::Pooling;
use ndarray::{Ix2, Ix3};
use ort::environment::Environment;
use ort::session::builder::GraphOptimizationLevel;
use ort::session::{Session, SessionInputValue};
use ort::value::Tensor;

use super::{ModelRunner, RunFailure};
use crate::LoadModel;
use crate::local::pool::pool;
use crate::local::tokenise::TokenisedText;

/// A session whose inputs are `input_ids`, `attention_mask` and perhaps `token_type_ids`, int64 `[batch, sequence]`, and
/// whose first output is the last hidden state `[batch, sequence, dimension]` or one vector a text `[batch, dimension]`.
pub(in crate::local) struct OnnxRunner {
    session: Session,
    pooling: Pooling,
    pad_id: u32,
    wants_token_types: bool,
}

/// What `OnnxRunner::load` needs besides the file.
pub(in crate::local) struct OnnxOptions {
    pub(in crate::local) threads: usize,
    pub(in crate::local) pooling: Pooling,
    pub(in crate::local) pad_id: u32,
}

impl OnnxRunner {
    pub(in crate::local) fn load(
        environment: &Environment,
        path: &Path,
        options: &OnnxOptions,
    ) -> Result<Self, LoadModel> {
        let session = open(environment, path, options.threads).map_err(|source| LoadModel::LoadSession {
            path: path.to_owned(),
            source: Box::new(source),
        })?;
        let has_input = |name: &str| session.inputs().iter().any(|input| input.name() == name);
        for name in ["input_ids", "attention_mask"] {
            if !has_input(name) {
                let reason = format!("it has no input {name:?}: an ONNX export of a text encoder is needed");
                return Err(LoadModel::UnusableFile {
                    path: path.to_owned(),
                    reason,
                });
            }
        }
        let wants_token_types = has_input("token_type_ids");
        Ok(Self {
            session,
            pooling: options.pooling,
            pad_id: options.pad_id,
            wants_token_types,
        })
    }
}

impl ModelRunner for OnnxRunner {
    fn run(&mut self, texts: &[&TokenisedText]) -> Result<Vec<Vec<f32>>, RunFailure> {
        let lengths: Vec<usize> = texts.iter().map(|text| text.tokens()).collect();
        let shape = [texts.len(), lengths.iter().copied().max().unwrap_or(0)];
        let [batch, sequence] = shape;

        let mut ids = Vec::with_capacity(batch * sequence);
        let mut mask = Vec::with_capacity(batch * sequence);
        for text in texts {
            let padding = sequence - text.tokens();
            ids.extend(text.ids().iter().map(|id| i64::from(*id)));
            ids.extend(std::iter::repeat_n(i64::from(self.pad_id), padding));
            mask.extend(std::iter::repeat_n(1_i64, text.tokens()));
            mask.extend(std::iter::repeat_n(0_i64, padding));
        }
        let mut inputs: Vec<(Cow<'_, str>, SessionInputValue<'_>)> = vec![
            ("input_ids".into(), Tensor::from_array((shape, ids))?.into()),
            ("attention_mask".into(), Tensor::from_array((shape, mask))?.into()),
        ];
        if self.wants_token_types {
            // One text, no pairs: all tokens are of type 0.
            let types = vec![0_i64; batch * sequence];
            inputs.push(("token_type_ids".into(), Tensor::from_array((shape, types))?.into()));
        }

        let outputs = self.session.run(inputs)?;
        let wrong_shape = || RunFailure::Shape {
            expected: vec![batch, sequence],
        };
        let output = outputs.values().next().ok_or_else(wrong_shape)?;
        let output = output.try_extract_array::<f32>()?;
        if output.shape().first() != Some(&batch) {
            return Err(wrong_shape());
        }
        if let Ok(pooled) = output.view().into_dimensionality::<Ix2>() {
            return Ok(pooled.outer_iter().map(|vector| vector.to_vec()).collect());
        }
        let hidden = output
            .into_dimensionality::<Ix3>()
            .map_err(|_other_rank| wrong_shape())?;
        if hidden.dim().1 != sequence {
            return Err(wrong_shape());
        }
        Ok(pool(&hidden, &lengths, self.pooling))
    }
}

fn open(environment: &Environment, path: &Path, threads: usize) -> ort::Result<Session> {
    let mut builder = Session::builder(environment)?
        .with_optimization_level(GraphOptimizationLevel::Level3)?
        .with_intra_threads(threads.max(1))?
        // Waiting threads sleep instead of spinning: the cores are shared with searches, and with a busy neighbour
        // spinning made runs slower as well (by a tenth in fp32, a quarter in int8).
        .with_intra_op_spinning(false)?
        // Batches differ in shape, and a memory plan for each of them would be kept for ever.
        .with_memory_pattern(false)?;
    builder.commit_from_file(path)
}
