//! Prose: cut between paragraphs where possible, then lines, sentences, words, and at last anywhere.

use std::ops::Range;

use text_splitter::TextSplitter;

use super::window::Window;

/// Passages of the window, of about the same size, that repeat up to `overlap` tokens of the one before.
pub(super) fn cut(window: &Window<'_>, overlap: usize) -> Vec<Range<usize>> {
    TextSplitter::new(window.even_config(overlap))
        .chunk_indices(window.text())
        .map(|(start, passage)| start..start + passage.len())
        .collect()
}
