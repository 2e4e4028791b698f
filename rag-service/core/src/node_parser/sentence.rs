//! Prose: cut between paragraphs where possible, then lines, sentences, words, and at last anywhere.

use std::ops::Range;

use text_splitter::TextSplitter;

use super::window::Window;

/// Passages of the window that repeat up to `overlap` tokens of the one before; less than a passage has.
pub(super) fn cut(window: &Window<'_>, overlap: usize) -> Vec<Range<usize>> {
    let config = window.config();
    let overlap = overlap.min(config.capacity().desired().saturating_sub(1));
    let config = config
        .with_overlap(overlap)
        .expect("the overlap is less than the capacity");
    TextSplitter::new(config)
        .chunk_indices(window.text())
        .map(|(start, passage)| start..start + passage.len())
        .collect()
}
