//! Source code: cut along the syntax tree, the largest units that fit. Source with mistakes has a tree too.

use std::ops::{ControlFlow, Range};

use text_splitter::CodeSplitter;
use tree_sitter::{Language as Grammar, ParseOptions, ParseState, Parser, Tree};

use super::hazard::is_hazardous;
use super::language::Language;
use super::sentence;
use super::window::Window;

/// Deepest syntax tree to cut along. Code that people write stays far below; the splitter's time grows with the depth,
/// and a file of opening brackets would take it hours.
const MAX_TREE_DEPTH: usize = 128;

/// Fewest bytes between two progress reports of the parser, on average over the window. Programs take about one for
/// every 150 bytes, hardly any more than one for 50; a text that is ambiguous to a grammar takes more, and a time that
/// grows with its square. Reports are counted rather than time, so that the outcome is always the same.
const BYTES_PER_PROGRESS_REPORT: usize = 48;

/// Passages of the window, without overlap. What cannot be cut along a tree is cut by lines.
pub(super) fn cut(window: &Window<'_>, language: Language) -> Vec<Range<usize>> {
    if is_hazardous(language, window.text()) {
        return sentence::cut(window, 0);
    }
    let grammar = language.grammar(window.text());
    if !parse_frugally(&grammar, window.text()).is_some_and(|tree| is_shallow(&tree)) {
        return sentence::cut(window, 0);
    }
    match CodeSplitter::new(grammar, window.config()) {
        Ok(splitter) => {
            let ranges = splitter
                .chunk_indices(window.text())
                .map(|(start, passage)| start..start + passage.len())
                .collect();
            join_fragments(ranges, window)
        }
        Err(_) => sentence::cut(window, 0),
    }
}

/// The splitter never joins across a boundary of the tree, and leaves closing brackets and signatures alone that would
/// only be noise in an index. Closing brackets join the passage before them, other fragments the one after them or, if
/// that is full, the one before.
fn join_fragments(ranges: Vec<Range<usize>>, window: &Window<'_>) -> Vec<Range<usize>> {
    let mut joined: Vec<Range<usize>> = Vec::new();
    for range in ranges {
        match joined.last_mut() {
            Some(last)
                if window.fits(last.start..range.end) && (is_closing(window, &range) || window.is_fragment(last)) =>
            {
                last.end = range.end;
            }
            _ => {
                join_last_fragment(&mut joined, window);
                joined.push(range);
            }
        }
    }
    join_last_fragment(&mut joined, window);
    joined
}

fn join_last_fragment(joined: &mut Vec<Range<usize>>, window: &Window<'_>) {
    if let [.., before, last] = joined.as_mut_slice()
        && window.is_fragment(last)
        && window.fits(before.start..last.end)
    {
        before.end = last.end;
        joined.pop();
    }
}

fn is_closing(window: &Window<'_>, range: &Range<usize>) -> bool {
    window
        .text()
        .get(range.clone())
        .is_some_and(|passage| !passage.contains(char::is_alphanumeric))
}

/// The syntax tree, unless it takes the parser unusually many steps.
fn parse_frugally(grammar: &Grammar, source: &str) -> Option<Tree> {
    let mut parser = Parser::new();
    parser.set_language(grammar).ok()?;
    let mut reports_left = source.len() / BYTES_PER_PROGRESS_REPORT + 1;
    let mut on_progress = |_: &ParseState| {
        reports_left = reports_left.saturating_sub(1);
        if reports_left == 0 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    let options = ParseOptions::new().progress_callback(&mut on_progress);
    let bytes = source.as_bytes();
    parser.parse_with_options(
        &mut |offset, _| bytes.get(offset..).unwrap_or_default(),
        None,
        Some(options),
    )
}

fn is_shallow(tree: &Tree) -> bool {
    let mut cursor = tree.walk();
    let mut depth = 0;
    loop {
        if cursor.goto_first_child() {
            depth += 1;
            if depth > MAX_TREE_DEPTH {
                return false;
            }
            continue;
        }
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                return true;
            }
            depth -= 1;
        }
    }
}
