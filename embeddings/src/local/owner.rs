//! The thread that owns the model.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use super::batch::{Cut, Round};
use super::call::Item;
use super::runner::{ModelRunner, RunFailure};
use super::waiting::{Next, Waiting};
use crate::EmbedError;
use crate::normalise::normalise;

/// What has been run since the model was loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BatchCounts {
    /// Runs of the model.
    pub batches: u64,
    /// Texts in them.
    pub texts: u64,
    /// Tokens in them, padding included.
    pub padded_tokens: u64,
    /// Texts that were not run because their caller had left.
    pub abandoned_texts: u64,
}

#[derive(Default)]
pub(super) struct Counters {
    batches: AtomicU64,
    texts: AtomicU64,
    padded_tokens: AtomicU64,
    abandoned_texts: AtomicU64,
}

pub(super) struct Owner {
    pub(super) runner: Box<dyn ModelRunner>,
    pub(super) waiting: Arc<Waiting>,
    pub(super) counters: Arc<Counters>,
    pub(super) max_batch_tokens: usize,
    pub(super) dimension: usize,
}

/// Closes the queue however the thread ends, so that nobody waits for a thread that is gone.
struct CloseAtEnd(Arc<Waiting>);

impl Owner {
    pub(super) fn start(self) -> io::Result<JoinHandle<()>> {
        thread::Builder::new()
            .name("embedding-model".to_owned())
            .spawn(move || self.work())
    }

    fn work(mut self) {
        let _close = CloseAtEnd(Arc::clone(&self.waiting));
        let mut passages = Round::new(Vec::new());
        loop {
            match self.waiting.next(passages.is_empty()) {
                Next::Queries(items) => self.run_all(Round::new(items)),
                Next::Passages(items) => passages = Round::new(items),
                Next::Nothing => {}
                Next::Stop => return,
            }
            // One batch of passages in any case, so that a stream of queries slows indexing down but cannot stop it.
            self.run_next_batch(&mut passages);
        }
    }

    fn run_all(&mut self, mut round: Round) {
        while !round.is_empty() {
            self.run_next_batch(&mut round);
        }
    }

    fn run_next_batch(&mut self, round: &mut Round) {
        let Cut { batch, abandoned } = round.cut(self.max_batch_tokens);
        add(&self.counters.abandoned_texts, abandoned);
        if batch.is_empty() {
            return;
        }
        let longest = batch.iter().map(|item| item.text.tokens()).max().unwrap_or(0);
        let padded_tokens = longest * batch.len();
        add(&self.counters.batches, 1);
        add(&self.counters.texts, batch.len());
        add(&self.counters.padded_tokens, padded_tokens);

        let started = Instant::now();
        let vectors = self.run(&batch);
        self.waiting.record_speed(padded_tokens, started.elapsed());
        match vectors {
            Ok(vectors) => batch
                .into_iter()
                .zip(vectors)
                .for_each(|(item, vector)| item.deliver(vector)),
            Err(failure) => {
                let failure: Arc<RunFailure> = Arc::new(failure);
                batch
                    .into_iter()
                    .for_each(|item| item.fail(EmbedError::RunModel(Arc::clone(&failure) as _)));
            }
        }
    }

    /// `[texts, dimension]`, each of length 1.
    fn run(&mut self, batch: &[Item]) -> Result<Vec<Vec<f32>>, RunFailure> {
        let texts: Vec<_> = batch.iter().map(|item| &item.text).collect();
        let mut vectors = self.runner.run(&texts)?;
        if vectors.len() != texts.len() || vectors.iter().any(|vector| vector.len() != self.dimension) {
            return Err(RunFailure::Shape {
                expected: vec![texts.len(), self.dimension],
            });
        }
        for vector in &mut vectors {
            normalise(vector)?;
        }
        Ok(vectors)
    }
}

impl Drop for CloseAtEnd {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Counters {
    pub(super) fn snapshot(&self) -> BatchCounts {
        BatchCounts {
            batches: self.batches.load(Ordering::Relaxed),
            texts: self.texts.load(Ordering::Relaxed),
            padded_tokens: self.padded_tokens.load(Ordering::Relaxed),
            abandoned_texts: self.abandoned_texts.load(Ordering::Relaxed),
        }
    }
}

fn add(counter: &AtomicU64, count: usize) {
    counter.fetch_add(count as u64, Ordering::Relaxed);
}

#[cfg(test)]
mod tests;
