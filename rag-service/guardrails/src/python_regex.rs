//! Patterns in the syntax of Python's `re`, rewritten for the `regex` crate.
//!
//! Most of both languages is the same. What is rewritten: `\Z`, `$` (which also matches before a last line break),
//! octal escapes, escaped characters that mean something else in Rust, a literal `{`, `{,n}`, comments, the flags `a`,
//! `u` and `L`, and what is special in a class only in Rust. Possessive quantifiers lose their possessiveness, so they
//! match more. Look-around and back-references stay as they are; the `regex` crate will refuse them.

use std::iter::Peekable;
use std::str::Chars;

/// The same pattern in the syntax of the `regex` crate, as far as that can say it.
pub(crate) fn translate(pattern: &str) -> String {
    let mut translator = Translator {
        rest: pattern.chars().peekable(),
        output: String::with_capacity(pattern.len() + 16),
        flags: flags(pattern),
    };
    while let Some(character) = translator.rest.next() {
        translator.step(character);
    }
    if translator.flags.verbose {
        // A comment at the end must not swallow what is put behind the pattern.
        translator.output.push('\n');
    }
    translator.output
}

struct Translator<'pattern> {
    rest: Peekable<Chars<'pattern>>,
    output: String,
    flags: Flags,
}

/// The flags that change how a pattern is read, set anywhere in it.
#[derive(Clone, Copy, Default)]
struct Flags {
    ascii: bool,
    multi_line: bool,
    verbose: bool,
}

fn flags(pattern: &str) -> Flags {
    let mut flags = Flags::default();
    for (place, _) in pattern.match_indices("(?") {
        let letters = pattern.get(place + 2..).unwrap_or_default();
        let end = letters.find(|letter: char| !letter.is_ascii_lowercase() && letter != 'L');
        let (letters, rest) = letters.split_at(end.unwrap_or(letters.len()));
        if rest.starts_with([')', ':', '-']) {
            flags.ascii |= letters.contains('a');
            flags.multi_line |= letters.contains('m');
            flags.verbose |= letters.contains('x');
        }
    }
    flags
}

impl Translator<'_> {
    fn step(&mut self, character: char) {
        match character {
            '\\' => self.escape(false),
            '[' => self.class(),
            '(' => self.group(),
            '{' => self.brace(),
            '$' if !self.flags.multi_line => self.output.push_str(r"(?:\n??\z)"),
            '#' if self.flags.verbose => {
                let comment = std::iter::from_fn(|| self.rest.next_if(|next| *next != '\n'));
                comment.for_each(drop);
            }
            other => self.output.push(other),
        }
    }

    fn escape(&mut self, in_class: bool) {
        let Some(escaped) = self.rest.next() else {
            self.output.push('\\');
            return;
        };
        let ascii = self.flags.ascii;
        match escaped {
            'Z' if !in_class => self.output.push_str(r"\z"),
            'd' if ascii => self.output.push_str(if in_class { "0-9" } else { "[0-9]" }),
            'w' if ascii => self
                .output
                .push_str(if in_class { "0-9A-Za-z_" } else { "[0-9A-Za-z_]" }),
            's' if ascii => self
                .output
                .push_str(if in_class { r"\t-\r\x20" } else { r"[\t-\r\x20]" }),
            'D' if ascii => self.output.push_str("[^0-9]"),
            'W' if ascii => self.output.push_str("[^0-9A-Za-z_]"),
            'S' if ascii => self.output.push_str(r"[^\t-\r\x20]"),
            'b' if in_class => self.output.push_str(r"\x08"),
            'b' if ascii => self.output.push_str(r"(?-u:\b)"),
            'B' if ascii => self.output.push_str(r"(?-u:\B)"),
            '0'..='7' => self.octal(escaped, in_class),
            '<' | '>' => self.output.push(escaped),
            other if !other.is_ascii() => self.output.push(other),
            other => {
                self.output.push('\\');
                self.output.push(other);
            }
        }
    }

    /// `\0`, `\07`, `\123` are characters; `\1` and `\12` refer to groups, except inside a class.
    fn octal(&mut self, first: char, in_class: bool) {
        let ahead: String = self
            .rest
            .clone()
            .take(2)
            .take_while(|digit| ('0'..='7').contains(digit))
            .collect();
        if first != '0' && ahead.len() < 2 && !in_class {
            self.output.push('\\');
            self.output.push(first);
            return;
        }
        for _ in ahead.chars() {
            self.rest.next();
        }
        let code = u32::from_str_radix(&format!("{first}{ahead}"), 8).unwrap_or_default();
        self.output.push_str(&format!(r"\x{{{code:x}}}"));
    }

    fn class(&mut self) {
        self.output.push('[');
        if self.rest.next_if_eq(&'^').is_some() {
            self.output.push('^');
        }
        if self.rest.next_if_eq(&']').is_some() {
            self.output.push_str(r"\]");
        }
        while let Some(character) = self.rest.next() {
            match character {
                ']' => {
                    self.output.push(']');
                    return;
                }
                '\\' => self.escape(true),
                '[' | '&' | '~' | '#' => {
                    self.output.push('\\');
                    self.output.push(character);
                }
                blank if blank.is_whitespace() => self.output.push_str(&format!(r"\x{{{:x}}}", u32::from(blank))),
                other => self.output.push(other),
            }
        }
    }

    fn group(&mut self) {
        let ahead: String = self.rest.clone().take(16).collect();
        if ahead.starts_with("?#") {
            self.rest.by_ref().find(|character| *character == ')');
            return;
        }
        let Some(letters) = ahead.strip_prefix('?') else {
            self.output.push('(');
            return;
        };
        let end = letters.find(|letter: char| !letter.is_ascii_alphabetic() && letter != '-');
        let (letters, rest) = letters.split_at(end.unwrap_or(letters.len()));
        let Some(close) = rest.chars().next().filter(|close| matches!(close, ')' | ':')) else {
            self.output.push('(');
            return;
        };
        for _ in 0..letters.len() + 2 {
            self.rest.next();
        }
        let kept: String = letters
            .chars()
            .filter(|letter| !matches!(letter, 'a' | 'u' | 'L'))
            .collect();
        let kept = kept.trim_end_matches('-');
        if !kept.is_empty() || close == ':' {
            self.output.push_str("(?");
            self.output.push_str(kept);
            self.output.push(close);
        }
    }

    /// A brace that begins no `{n}`, `{n,}`, `{,m}` or `{n,m}` is an ordinary character.
    fn brace(&mut self) {
        let body: String = self
            .rest
            .clone()
            .take(24)
            .take_while(|character| *character != '}')
            .collect();
        let closed = self.rest.clone().nth(body.chars().count()) == Some('}');
        let digits = |part: &str| part.chars().all(|digit| digit.is_ascii_digit());
        let counts = match body.split_once(',') {
            Some((low, high)) => digits(low) && digits(high),
            None => !body.is_empty() && digits(&body),
        };
        if !closed || !counts {
            self.output.push_str(r"\{");
            return;
        }
        self.output.push('{');
        if body.starts_with(',') {
            self.output.push('0');
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::Regex;

    use super::*;

    /// Pattern, a text in which Python's `re.search` finds something, a text in which it does not.
    const PATTERNS: &[(&str, &str, &str)] = &[
        (r"end\Z", "the end", "the end\n"),
        ("end$", "the end\n", "the end\n\n"),
        ("end$", "the end", "ends"),
        ("(?m)end$", "end\nmore", "ends"),
        ("[$]", "$", "S"),
        (r"\$", "$", "S"),
        (r#"{"key": \d+}"#, r#"{"key": 12}"#, r#"{"key": x}"#),
        ("a{,2}b", "aab", "aa"),
        ("a{2}b", "aab", "ab"),
        ("a{b}", "a{b}", "aab"),
        ("{}", "{}", "{"),
        (r"\101\x42\0", "AB\0", "AB0"),
        (r"[\101-\103]", "B", "D"),
        (r"\<tag\>", "<tag>", "tag"),
        ("[[]x[]]", "[x]", "[x["),
        ("[a&&b]", "&", "c"),
        ("[a~~b]", "~", "c"),
        ("(?x) a b [ #] # comment with ( and $", "ab#", "ab"),
        ("(?x) a b [ #] # comment", "ab ", "a b"),
        (r"(?a)\w\d\b", "a1é", "é1"),
        (r"(?u)\w", "é", "!"),
        ("(?ai:k)1", "K1", "j1"),
        ("a(?#why)b", "ab", "a"),
        ("(?P<name>a)b", "ab", "b"),
        (r"\é", "é", "e"),
        ("(?i)SECRET", "a secret", "sacred"),
        ("(?s:a.b)", "a\nb", "ab"),
        ("a++b", "aab", "b"),
        (r"[\b]", "\u{8}", "b"),
        ("[]x]", "]", "y"),
        ("[^]x]", "y", "]x"),
        (r"\/\-\_\:\ ", "/-_: ", "/-_:"),
    ];

    #[test]
    fn translated_patterns_find_what_python_finds() {
        for (pattern, found, missed) in PATTERNS {
            let translated = translate(pattern);
            let regex = Regex::new(&translated).unwrap_or_else(|error| panic!("{pattern}: {error}"));
            assert!(regex.is_match(found), "{pattern} as {translated} in {found:?}");
            assert!(!regex.is_match(missed), "{pattern} as {translated} in {missed:?}");
        }
    }

    #[test]
    fn what_needs_backtracking_is_left_as_it_is() {
        for pattern in [r"(?=a)b", r"(?<!a)b", r"(a)\1", "(?P<n>a)(?P=n)", "(?>a)b"] {
            assert_eq!(translate(pattern), pattern);
        }
    }

    proptest! {
        #[test]
        fn every_pattern_has_a_translation(pattern in "[()\\[\\]{}?*+|^$\\\\aZ#0-9,: =&~é<>-]{0,24}") {
            let translated = translate(&pattern);
            if regex_syntax::parse(&pattern).is_ok() && !pattern.contains(['\\', '[', '$', '{']) {
                prop_assert!(regex_syntax::parse(&translated).is_ok(), "{} as {}", pattern, translated);
            }
        }
    }
}
