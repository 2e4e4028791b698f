//! One call of `embed` on its way through the owner thread.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::tokenise::TokenisedText;
use crate::EmbedError;

/// What `embed` returns.
pub(super) type Answer = Result<Vec<Vec<f32>>, EmbedError>;

/// A call that waits: its texts not yet taken into a round, and where its answer goes.
pub(super) struct Call {
    texts: VecDeque<Item>,
}

/// One text of a call.
pub(super) struct Item {
    pub(super) text: TokenisedText,
    position: usize,
    reply: Arc<Mutex<Reply>>,
}

/// Collects a call's vectors. Dropped without an answer, it closes the channel, which the caller reads as "stopped".
struct Reply {
    vectors: Vec<Vec<f32>>,
    missing: usize,
    sender: Option<oneshot::Sender<Answer>>,
}

impl Call {
    pub(super) fn new(texts: Vec<TokenisedText>, sender: oneshot::Sender<Answer>) -> Self {
        let reply = Arc::new(Mutex::new(Reply {
            vectors: vec![Vec::new(); texts.len()],
            missing: texts.len(),
            sender: Some(sender),
        }));
        let texts = texts
            .into_iter()
            .enumerate()
            .map(|(position, text)| Item {
                text,
                position,
                reply: Arc::clone(&reply),
            })
            .collect();
        Self { texts }
    }

    /// Whether the caller still wants an answer and there is something left to compute for it.
    pub(super) fn is_live(&self) -> bool {
        self.texts.front().is_some_and(Item::is_wanted)
    }

    pub(super) fn tokens(&self) -> usize {
        self.texts.iter().map(|item| item.text.tokens()).sum()
    }

    /// Up to `count` texts, in order.
    pub(super) fn take(&mut self, count: usize) -> impl Iterator<Item = Item> + '_ {
        let count = count.min(self.texts.len());
        self.texts.drain(..count)
    }
}

impl Item {
    /// False once the caller has left or its call has failed.
    pub(super) fn is_wanted(&self) -> bool {
        self.reply
            .lock()
            .sender
            .as_ref()
            .is_some_and(|sender| !sender.is_closed())
    }

    /// Hands in the text's vector; the last one of a call answers it.
    pub(super) fn deliver(self, vector: Vec<f32>) {
        let mut reply = self.reply.lock();
        if let Some(slot) = reply.vectors.get_mut(self.position) {
            *slot = vector;
        }
        reply.missing = reply.missing.saturating_sub(1);
        if reply.missing == 0 {
            let vectors = std::mem::take(&mut reply.vectors);
            reply.answer(Ok(vectors));
        }
    }

    /// Fails the whole call, once.
    pub(super) fn fail(self, error: EmbedError) {
        self.reply.lock().answer(Err(error));
    }
}

impl Reply {
    fn answer(&mut self, answer: Answer) {
        if let Some(sender) = self.sender.take() {
            // The caller may have left in the meantime.
            let _unwanted = sender.send(answer);
        }
    }
}
