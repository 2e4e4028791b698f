//! `ghp_{alnum:36+}`: what a token looks like, parsed.

use std::ops::RangeInclusive;

use serde::Deserialize;

/// A text with runs of characters of some charset in it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Shape {
    parts: Vec<Part>,
}

/// A piece of a [`Shape`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// These characters.
    Literal(String),
    /// So many characters of a charset.
    Run {
        /// The charset's name in the catalogue.
        charset: String,
        /// The least number of characters, at least 1.
        least: usize,
        /// The greatest number, or none for "and as many as there are".
        most: Option<usize>,
    },
}

/// Why a text is no shape.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("parse shape {shape:?}: {reason}")]
pub struct ParseShape {
    shape: String,
    reason: &'static str,
}

impl Shape {
    /// The pieces from left to right; no two literals are neighbours.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The literal pieces.
    pub fn literals(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Literal(literal) => Some(literal.as_str()),
            Part::Run { .. } => None,
        })
    }

    /// The names of the charsets it mentions.
    pub fn charsets(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Run { charset, .. } => Some(charset.as_str()),
            Part::Literal(_) => None,
        })
    }
}

impl TryFrom<String> for Shape {
    type Error = ParseShape;

    fn try_from(shape: String) -> Result<Self, Self::Error> {
        parse(&shape).map_err(|reason| ParseShape { shape, reason })
    }
}

fn parse(shape: &str) -> Result<Shape, &'static str> {
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut rest = shape;
    while let Some(character) = rest.chars().next() {
        if let Some(behind) = rest.strip_prefix("{{").or_else(|| rest.strip_prefix("}}")) {
            literal.push(character);
            rest = behind;
        } else if let Some(behind) = rest.strip_prefix('{') {
            let (run, behind) = behind.split_once('}').ok_or("a brace is not closed")?;
            if !literal.is_empty() {
                parts.push(Part::Literal(std::mem::take(&mut literal)));
            }
            parts.push(parse_run(run)?);
            rest = behind;
        } else if character == '}' {
            return Err("a brace is not opened");
        } else {
            literal.push(character);
            rest = rest.split_at(character.len_utf8()).1;
        }
    }
    if !literal.is_empty() {
        parts.push(Part::Literal(literal));
    }
    if parts.is_empty() {
        return Err("it is empty");
    }
    Ok(Shape { parts })
}

fn parse_run(run: &str) -> Result<Part, &'static str> {
    let (charset, count) = run.split_once(':').ok_or("a run has no count")?;
    let number = |digits: &str| digits.parse::<usize>().map_err(|_| "a count is no number");
    let (least, most) = if let Some(least) = count.strip_suffix('+') {
        (number(least)?, None)
    } else if let Some((least, most)) = count.split_once('-') {
        (number(least)?, Some(number(most)?))
    } else {
        let exactly = number(count)?;
        (exactly, Some(exactly))
    };
    if least == 0 || most.is_some_and(|most| most < least) {
        return Err("a count is 0 or runs backwards");
    }
    Ok(Part::Run {
        charset: charset.to_owned(),
        least,
        most,
    })
}

/// ASCII characters that a run may consist of, written like the inside of a bracket expression: `A-Za-z0-9_-`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Charset {
    ranges: Vec<RangeInclusive<char>>,
}

impl Charset {
    /// The ranges, single characters being ranges of one.
    #[must_use]
    pub fn ranges(&self) -> &[RangeInclusive<char>] {
        &self.ranges
    }

    /// Every character, in the order in which they were written.
    pub fn characters(&self) -> impl Iterator<Item = char> {
        self.ranges.iter().cloned().flatten()
    }
}

impl TryFrom<String> for Charset {
    type Error = &'static str;

    fn try_from(written: String) -> Result<Self, Self::Error> {
        if written.is_empty() || !written.chars().all(|character| character.is_ascii_graphic()) {
            return Err("a charset is made of visible ASCII characters");
        }
        let mut ranges = Vec::new();
        let mut characters = written.chars().peekable();
        while let Some(first) = characters.next() {
            let mut last = first;
            if characters.next_if_eq(&'-').is_some() {
                match characters.next() {
                    Some(end) => last = end,
                    // A hyphen at the end is itself.
                    None => ranges.push('-'..='-'),
                }
            }
            if last < first {
                return Err("a range of a charset runs backwards");
            }
            ranges.push(first..=last);
        }
        Ok(Self { ranges })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(text: &str) -> Result<Shape, ParseShape> {
        Shape::try_from(text.to_owned())
    }

    fn run(charset: &str, least: usize, most: Option<usize>) -> Part {
        Part::Run {
            charset: charset.to_owned(),
            least,
            most,
        }
    }

    #[test]
    fn literals_and_the_three_kinds_of_count_are_read() {
        assert_eq!(
            shape("a.{hex:8}-{hex:2-4}${{B}}{alnum:36+}").expect("a shape").parts(),
            [
                Part::Literal("a.".to_owned()),
                run("hex", 8, Some(8)),
                Part::Literal("-".to_owned()),
                run("hex", 2, Some(4)),
                Part::Literal("${B}".to_owned()),
                run("alnum", 36, None),
            ]
        );
    }

    #[test]
    fn what_is_not_a_shape_is_refused() {
        for text in ["", "{", "}", "a}", "{hex}", "{hex:}", "{hex:0}", "{hex:5-4}", "{hex:x}"] {
            assert!(shape(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_charset_is_ranges_characters_and_perhaps_a_last_hyphen() {
        let charset = |text: &str| Charset::try_from(text.to_owned());
        assert_eq!(
            charset("A-C_-")
                .map(|charset| charset.characters().collect::<String>())
                .map(|characters| characters
                    .chars()
                    .filter(|character| "ABC_-".contains(*character))
                    .count()),
            Ok(5)
        );
        for text in ["", "z-a", "ä", "a b"] {
            assert!(charset(text).is_err(), "{text:?}");
        }
    }
}
