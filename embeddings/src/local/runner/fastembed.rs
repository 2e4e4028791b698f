//! Runs models outside the catalogue through fastembed: directories that users bring, and models that it downloads.
//! fastembed tokenises by itself, with the same tokenizer, so it gets the texts.

use fastembed::TextEmbedding;

use super::{ModelRunner, RunFailure};
use crate::local::tokenise::TokenisedText;

pub(in crate::local) struct FastembedRunner {
    model: TextEmbedding,
}

impl FastembedRunner {
    pub(in crate::local) fn new(model: TextEmbedding) -> Self {
        Self { model }
    }
}

impl ModelRunner for FastembedRunner {
    fn run(&mut self, texts: &[&TokenisedText]) -> Result<Vec<Vec<f32>>, RunFailure> {
        let texts: Vec<&str> = texts.iter().map(|text| text.text()).collect();
        // The batch is cut already; fastembed is to run it as one.
        let batch_size = texts.len().max(1);
        Ok(self.model.embed(texts, Some(batch_size))?)
    }
}
