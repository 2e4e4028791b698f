//! One span scanner on a stream: holds back what is undecided, releases the rest with its spans replaced.

use std::cmp::Reverse;

use super::MAX_PENDING_BYTES;
use crate::span::{Span, merged};
use crate::stage::{Memory, Replacement, SpanStage};

/// With more than this pending, not every byte is worth a scan of it all.
const SCANNED_EAGERLY_BYTES: usize = 512;

/// The undecided end of a text.
#[derive(Debug)]
pub(super) struct SpanStream {
    /// The last character that was released, as it was before any replacement, and what is pending behind it.
    buffer: String,
    /// Where the pending text begins.
    from: usize,
    /// How much was pending after the last scan.
    scanned: usize,
    memory: Memory,
}

/// What a stage lets pass.
#[derive(Default)]
pub(super) struct Released {
    pub(super) text: String,
    /// How many spans were replaced in it.
    pub(super) count: usize,
}

impl SpanStream {
    pub(super) fn new() -> Self {
        Self {
            buffer: String::new(),
            from: 0,
            scanned: 0,
            memory: Memory::of_a_stream(),
        }
    }

    pub(super) fn pending_bytes(&self) -> usize {
        self.buffer.len() - self.from
    }

    /// Takes a piece and releases what is decided; `last` says that no other follows.
    pub(super) fn take(&mut self, stage: &SpanStage, piece: &str, last: bool) -> Released {
        self.buffer.push_str(piece);
        let pending = self.pending_bytes();
        // A scan costs as much as there is pending. Waiting until that has grown by an eighth keeps the sum linear.
        let is_due = !(SCANNED_EAGERLY_BYTES..=MAX_PENDING_BYTES).contains(&pending)
            || pending - self.scanned.min(pending) >= self.scanned / 8;
        if pending == 0 || !(last || is_due) {
            return Released::default();
        }
        let end = self.buffer.len();
        let open = if last {
            end
        } else {
            stage.scanner.horizon().first_open(&self.buffer, self.from)
        };
        let released = self.release(stage, open, last);
        self.scanned = self.pending_bytes();
        released
    }

    /// Releases the text before `open`, or less, so that nothing found is cut in two.
    fn release(&mut self, stage: &SpanStage, open: usize, last: bool) -> Released {
        if open <= self.from && !last {
            return Released::default();
        }
        let before = if last { open + 1 } else { open };
        let found = stage.scanner.find(&self.buffer, self.from, before);
        let mut spans = found.spans;
        let mut cut = open;
        if let Replacement::Secret(_) = stage.replacement {
            self.memory.remember(&spans, &self.buffer);
            spans.extend(self.memory.occurrences(&self.buffer, self.from));
            if !last {
                cut = cut.min(self.memory.first_open(&self.buffer, self.from));
            }
        }
        let mut bounds: Vec<_> = found
            .matches
            .into_iter()
            .chain(spans.iter().map(|span| span.range.clone()))
            .collect();
        // From the last to the first: moving the cut to the start of one can only bring it into one that begins before.
        bounds.sort_unstable_by_key(|bound| Reverse(bound.start));
        for bound in bounds {
            if bound.start < cut && cut < bound.end {
                cut = bound.start;
            }
        }
        let spans: Vec<Span> = merged(spans.into_iter().filter(|span| span.range.end <= cut).collect());
        let text = stage.rendered(&self.buffer, self.from, cut, &spans);
        self.forget_before(cut);
        Released {
            text,
            count: spans.len(),
        }
    }

    /// Drops what was released, but for its last character.
    fn forget_before(&mut self, cut: usize) {
        let context = self
            .buffer
            .get(..cut)
            .and_then(|released| released.chars().next_back())
            .map_or(0, char::len_utf8);
        let context = context.min(cut);
        self.buffer.drain(..cut - context);
        self.from = context;
    }
}
