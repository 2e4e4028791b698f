//! Markdown: cut at headings first, then between blocks. Passages do not overlap, so that each begins at its own
//! heading and not with the end of another section.

use std::ops::Range;

use text_splitter::MarkdownSplitter;

use super::window::Window;

/// Passages of the window.
pub(super) fn cut(window: &Window<'_>) -> Vec<Range<usize>> {
    MarkdownSplitter::new(window.config())
        .chunk_indices(window.text())
        .map(|(start, passage)| start..start + passage.len())
        .collect()
}
