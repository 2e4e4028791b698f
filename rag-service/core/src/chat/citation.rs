//! Finding the citations in an answer while it arrives.
//!
//! A citation is a number of a passage in square brackets, or several with commas between them: `[3]`, `[1, 2]`,
//! `[1][2]`. One that a link is made of, `[1](https://…)`, still names its passage and counts. Not here: telling an
//! answer's source code, where `a[1]` means something else, from its prose.

/// Most characters between a citation's brackets.
const MAX_PENDING_CHARACTERS: usize = 32;
/// Most citations of one answer.
const MAX_CITATIONS: usize = 1000;

/// A place where an answer relies on a passage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Citation {
    /// The passage's number, from 1.
    pub number: u32,
    /// Offset of the opening bracket, in characters of the answer. Numbers in the same brackets share their place.
    pub start: usize,
    /// Offset after the closing bracket, in characters of the answer.
    pub end: usize,
}

/// Reads an answer piece by piece. It keeps what stands between brackets not yet closed, and what it found, both
/// bounded.
#[derive(Clone, Debug)]
pub struct CitationScanner {
    passages: u32,
    /// Characters read.
    position: usize,
    bracket: Option<OpenBracket>,
    found: Vec<Citation>,
}

#[derive(Clone, Debug)]
struct OpenBracket {
    start: usize,
    /// Digits, commas and blanks only.
    inside: String,
}

impl CitationScanner {
    /// A scanner for an answer that was given passages 1 to `passages`; other numbers are no citations.
    pub fn new(passages: u32) -> Self {
        Self {
            passages,
            position: 0,
            bracket: None,
            found: Vec::new(),
        }
    }

    /// Reads the next piece of the answer.
    pub fn feed(&mut self, piece: &str) {
        for character in piece.chars() {
            match character {
                '[' => {
                    self.bracket = Some(OpenBracket {
                        start: self.position,
                        inside: String::new(),
                    });
                }
                ']' => {
                    if let Some(bracket) = self.bracket.take() {
                        self.close(&bracket);
                    }
                }
                _ => self.continue_bracket(character),
            }
            self.position += 1;
        }
    }

    /// The citations, in the order of the answer.
    pub fn finish(self) -> Vec<Citation> {
        self.found
    }

    fn continue_bracket(&mut self, character: char) {
        let may_go_on = matches!(character, '0'..='9' | ',' | ' ');
        self.bracket = self
            .bracket
            .take()
            .filter(|bracket| may_go_on && bracket.inside.len() < MAX_PENDING_CHARACTERS)
            .map(|mut bracket| {
                bracket.inside.push(character);
                bracket
            });
    }

    fn close(&mut self, bracket: &OpenBracket) {
        let parts: Vec<&str> = bracket.inside.split(',').map(str::trim).collect();
        let is_number = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !parts.iter().all(is_number) {
            return;
        }
        // A number too large to be read belongs to no passage either.
        let numbers = parts.iter().filter_map(|part| part.parse::<u32>().ok());
        for number in numbers.filter(|number| (1..=self.passages).contains(number)) {
            if self.found.len() < MAX_CITATIONS {
                self.found.push(Citation {
                    number,
                    start: bracket.start,
                    end: self.position + 1,
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// An answer, and number, start and end of each citation.
    type Case = (&'static str, &'static [(u32, usize, usize)]);

    fn citations(pieces: &[&str]) -> Vec<(u32, usize, usize)> {
        let mut scanner = CitationScanner::new(3);
        for piece in pieces {
            scanner.feed(piece);
        }
        let found = scanner.finish();
        found
            .iter()
            .map(|found| (found.number, found.start, found.end))
            .collect()
    }

    #[test]
    fn numbers_of_passages_in_square_brackets_are_citations() {
        let cases: [Case; 19] = [
            ("", &[]),
            ("so it is [3].", &[(3, 9, 12)]),
            ("größer [1]", &[(1, 7, 10)]),
            ("[1, 2]", &[(1, 0, 6), (2, 0, 6)]),
            ("[1,2]", &[(1, 0, 5), (2, 0, 5)]),
            ("[ 1 ]", &[(1, 0, 5)]),
            ("[1][2]", &[(1, 0, 3), (2, 3, 6)]),
            ("[[1]]", &[(1, 1, 4)]),
            ("[note [2]", &[(2, 6, 9)]),
            ("[1](https://example.org)", &[(1, 0, 3)]),
            ("[0] [4] [99999999999]", &[]),
            ("[1, 4]", &[(1, 0, 6)]),
            ("[]", &[]),
            ("[1,]", &[]),
            ("[1 2]", &[]),
            ("[1", &[]),
            ("1]", &[]),
            ("[a1] [^1] [-1] [1.5]", &[]),
            ("[1                                ]", &[]),
        ];
        for (answer, expected) in cases {
            assert_eq!(citations(&[answer]), expected, "{answer:?}");
        }
    }

    #[test]
    fn a_citation_may_arrive_in_pieces() {
        assert_eq!(citations(&["so [", "1", ", ", "2", "]."]), [(1, 3, 9), (2, 3, 9)]);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut scanner = CitationScanner::new(1);
        scanner.feed(&"[1]".repeat(5000));
        scanner.feed("[");
        scanner.feed(&"1".repeat(5000));
        assert!(scanner.bracket.is_none());
        assert_eq!(scanner.finish().len(), MAX_CITATIONS);
    }

    proptest! {
        #[test]
        fn pieces_give_the_same_citations_as_the_whole(
            pieces in prop::collection::vec(r"[\[\]0-4,é (a]{0,6}", 0..20),
        ) {
            let whole = pieces.concat();
            let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
            let found = citations(&pieces);
            prop_assert_eq!(&found, &citations(&[&whole]));
            let characters: Vec<char> = whole.chars().collect();
            for (_, start, end) in found {
                prop_assert_eq!((characters[start], characters[end - 1]), ('[', ']'));
            }
        }
    }
}
