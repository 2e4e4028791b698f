//! What all ways of cutting share: large texts are cut window by window, and every passage is checked.

use std::ops::Range;

use super::token_counter::TokenCounter;
use super::window::{PassageLimits, Window};

/// Bytes that are cut at once. The splitters look at the whole rest of their text for every passage, so that their time
/// grows with the square of it; a window bounds that.
const WINDOW_BYTES: usize = 32 * 1024;
/// A window has room for so many passages at least: twice as many, of four bytes a character.
const WINDOW_PASSAGE_CHARACTERS: usize = 8;

/// The passages of the text as byte ranges in reading order, each within the limits; `cut` cuts one window, and its
/// ranges may overlap but must start in order.
pub(super) fn ranges<Cut>(text: &str, counter: &TokenCounter, limits: PassageLimits, cut: Cut) -> Vec<Range<usize>>
where
    Cut: Fn(&Window<'_>) -> Vec<Range<usize>>,
{
    let window_bytes = limits
        .characters
        .saturating_mul(WINDOW_PASSAGE_CHARACTERS)
        .max(WINDOW_BYTES);
    let mut passages = Vec::new();
    let mut covered = 0;
    let mut start = 0;
    while let Some(rest) = text.get(start..).filter(|rest| !rest.is_empty()) {
        let (window, beyond) = rest.split_at(rest.floor_char_boundary(window_bytes));
        let mut found = cut(&Window::new(window, counter, limits));
        let next = next_window(&mut found, window, beyond);
        for range in found {
            let range = start + range.start..start + range.end;
            // After an overlap a window can begin with a passage that says nothing new.
            if range.end > covered {
                covered = range.end;
                push_admitted(&mut passages, text, range, counter, limits);
            }
        }
        start += next;
    }
    passages
}

/// Where the next window begins: at the last passage found, which the end of this window may have cut short.
fn next_window(found: &mut Vec<Range<usize>>, window: &str, beyond: &str) -> usize {
    if beyond.is_empty() {
        return window.len();
    }
    match found.as_slice() {
        [] => window.len(),
        [only] => only.end,
        [.., last] => {
            let next = last.start;
            found.pop();
            next
        }
    }
}

/// Adds the passage, in halves if it turns out to exceed the limits. A single character is always admitted.
fn push_admitted(
    passages: &mut Vec<Range<usize>>,
    text: &str,
    range: Range<usize>,
    counter: &TokenCounter,
    limits: PassageLimits,
) {
    let mut pending = vec![range];
    while let Some(range) = pending.pop() {
        let Some(passage) = text.get(range.clone()) else {
            continue;
        };
        let middle = range.start + near_middle(passage);
        if middle == range.start || limits.admit(passage, counter) {
            passages.push(range);
            continue;
        }
        // The half that is read first must be on top.
        pending.extend(trimmed(text, middle..range.end));
        pending.extend(trimmed(text, range.start..middle));
    }
}

/// The best place to cut a passage in two: a line end in its middle half, or a space there, or the middle; 0 for a
/// single character.
fn near_middle(passage: &str) -> usize {
    let quarter = passage.floor_char_boundary(passage.len() / 4);
    let three_quarters = passage.floor_char_boundary(passage.len() * 3 / 4);
    let middle_half = passage.get(quarter..three_quarters).unwrap_or_default();
    let after = |found: (usize, &str)| quarter + found.0 + found.1.len();
    let nearest = |places: &mut dyn Iterator<Item = usize>| {
        places
            .filter(|place| *place > 0)
            .min_by_key(|place| place.abs_diff(passage.len() / 2))
    };
    nearest(&mut middle_half.match_indices('\n').map(after))
        .or_else(|| nearest(&mut middle_half.match_indices(char::is_whitespace).map(after)))
        .unwrap_or_else(|| match passage.floor_char_boundary(passage.len() / 2) {
            0 => passage.ceil_char_boundary(1) % passage.len().max(1),
            middle => middle,
        })
}

fn trimmed(text: &str, range: Range<usize>) -> Option<Range<usize>> {
    let passage = text.get(range.clone())?;
    let start = range.start + (passage.len() - passage.trim_start().len());
    let end = start + passage.trim().len();
    (start < end).then_some(start..end)
}
