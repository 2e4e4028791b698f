//! Values that were found once and are replaced wherever they occur.

use std::collections::VecDeque;

use crate::span::Span;

/// How many values a stream remembers. Beyond that the oldest is forgotten.
const STREAM_CAPACITY: usize = 64;

/// Values that were found.
#[derive(Debug)]
pub(crate) struct Memory {
    values: VecDeque<String>,
    capacity: usize,
}

impl Memory {
    /// For a whole text: nothing is forgotten.
    pub(crate) fn of_a_text() -> Self {
        Self {
            values: VecDeque::new(),
            capacity: usize::MAX,
        }
    }

    /// For a stream: bounded.
    pub(crate) fn of_a_stream() -> Self {
        Self {
            values: VecDeque::new(),
            capacity: STREAM_CAPACITY,
        }
    }

    pub(crate) fn remember(&mut self, spans: &[Span], text: &str) {
        let values = spans.iter().filter_map(|span| text.get(span.range.clone()));
        for value in values {
            if value.is_empty() || self.values.iter().any(|known| known == value) {
                continue;
            }
            if self.values.len() >= self.capacity {
                self.values.pop_front();
            }
            self.values.push_back(value.to_owned());
        }
    }

    /// Where the values occur in `text` from byte `from`, those that overlap included.
    pub(crate) fn occurrences(&self, text: &str, from: usize) -> Vec<Span> {
        let mut spans = Vec::new();
        for value in &self.values {
            let step = value.chars().next().map_or(1, char::len_utf8);
            let mut position = from;
            while let Some(offset) = text.get(position..).and_then(|rest| rest.find(value.as_str())) {
                let start = position + offset;
                spans.push(Span {
                    range: start..start + value.len(),
                    label: None,
                });
                position = start + step;
            }
        }
        spans
    }

    /// The first place of `text` from byte `from` where a value may have begun that the end of the text cuts off. If
    /// there is none, the length of the text.
    pub(crate) fn first_open(&self, text: &str, from: usize) -> usize {
        let bytes = text.as_bytes();
        let open = |value: &String| {
            let value = value.as_bytes();
            let earliest = bytes.len().saturating_sub(value.len().saturating_sub(1)).max(from);
            (earliest..bytes.len()).find(|start| bytes.get(*start..).is_some_and(|tail| value.starts_with(tail)))
        };
        self.values.iter().filter_map(open).min().unwrap_or(text.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(values: &[&str]) -> Memory {
        let mut memory = Memory::of_a_text();
        memory.values.extend(values.iter().map(|value| (*value).to_owned()));
        memory
    }

    #[test]
    fn every_occurrence_is_found_even_overlapping_ones() {
        let ranges: Vec<_> = memory(&["aba"])
            .occurrences("ababa aba", 0)
            .into_iter()
            .map(|span| span.range)
            .collect();
        assert_eq!(ranges, [0..3, 2..5, 6..9]);
        assert_eq!(memory(&["é"]).occurrences("éé", 2).len(), 1);
    }

    #[test]
    fn a_beginning_at_the_end_of_the_text_is_open() {
        assert_eq!(memory(&["secret", "cretin"]).first_open("a secre", 0), 2);
        assert_eq!(memory(&["secret"]).first_open("a secret", 0), 8);
        assert_eq!(memory(&["secret"]).first_open("s", 1), 1);
    }

    #[test]
    fn a_stream_forgets_the_oldest_value() {
        let mut memory = Memory::of_a_stream();
        for number in 0..=STREAM_CAPACITY {
            let text = format!("value{number}");
            let span = Span {
                range: 0..text.len(),
                label: None,
            };
            memory.remember(&[span], &text);
        }
        assert!(memory.occurrences("value0 ", 0).is_empty());
        assert_eq!(memory.occurrences("value64", 0).len(), 2, "value6 and value64");
    }
}
