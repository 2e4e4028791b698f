//! How long an answer takes to read.

use super::Finding;

const WORDS_PER_MINUTE: f64 = 200.0;

/// A limit of the reading time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ReadingTime {
    /// In minutes, more than 0.
    pub(crate) max_minutes: f64,
    /// Whether the text is cut at the limit.
    pub(crate) truncate: bool,
}

impl ReadingTime {
    pub(crate) fn run(&self, text: &str) -> Option<Finding> {
        let words = u32::try_from(text.split_whitespace().count()).unwrap_or(u32::MAX);
        if f64::from(words) / WORDS_PER_MINUTE <= self.max_minutes {
            return None;
        }
        Some(Finding {
            text: if self.truncate {
                self.truncated(text)
            } else {
                text.to_owned()
            },
            count: 1,
        })
    }

    fn truncated(&self, text: &str) -> String {
        let limit = (self.max_minutes * WORDS_PER_MINUTE).floor();
        let within = |place: usize| u32::try_from(place).is_ok_and(|place| f64::from(place) < limit);
        let words = text
            .split_whitespace()
            .enumerate()
            .take_while(|(place, _)| within(*place));
        words.map(|(_, word)| word).collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_over_the_limit_hits_and_is_cut_if_wanted() {
        let run = |max_minutes, truncate, text| ReadingTime { max_minutes, truncate }.run(text).map(|found| found.text);
        assert_eq!(run(0.01, true, "one  two\nthree"), Some("one two".to_owned()));
        assert_eq!(run(0.01, false, "one  two\nthree"), Some("one  two\nthree".to_owned()));
        assert_eq!(run(0.015, true, "one two three"), None, "exactly the limit");
        assert_eq!(run(0.001, true, "one"), Some(String::new()));
    }
}
