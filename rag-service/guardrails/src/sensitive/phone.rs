//! Telephone numbers.
//!
//! A number is told by a form that people write numbers in, as nothing about ten to fifteen digits is a telephone's
//! alone: dates, decimals, tables and IP addresses have them too. Each form says where it ends, so that what follows a
//! number, a date perhaps, does not become part of it.

use crate::detector::{Candidate, Detector};

/// In front of a number, and behind one: no word character.
const START: &str = r"(?-u:\b{start-half})";
const END: &str = r"(?-u:\b{end-half})";

/// Between two groups of digits: one mark, or a space beside a bracket.
const SEPARATOR: &str = r"(?:[ .-]|\) ?| ?\(|-\(|\)-)";

/// A date, in front of which a number ends.
const DATE: &str =
    r"(?:(?:19|20)[0-9]{2}[./-][0-9]{1,2}[./-][0-9]{1,2}|[0-9]{1,2}[./-][0-9]{1,2}[./-](?:19|20)[0-9]{2})";

/// A date of any year, as computers write it.
const ISO_DATE: &str = r"[+(]?[0-9]{4,6}-[01][0-9]-[0-3][0-9]";

/// An extension belongs to its number.
const EXTENSION: &str = r"(?: ?(?i-u:x|ext\.?) ?[0-9]{1,5})?";

/// All forms in one pattern, the surest first: what one of them has taken is not offered to another.
pub(super) fn detector() -> Detector {
    Detector {
        name: "phone".into(),
        pattern: [named(), international(), north_american(), national()].join("|"),
        keywords: Vec::new(),
        accept: is_number,
        label: Some("<PHONE>"),
    }
}

/// `Phone: 2065550100`, `tel. is +49 30 123456`: a word says that it is a number, so that 7 digits are enough.
fn named() -> String {
    let name = r"(?i-u:phone|telephone|tel|mobile|fax|whatsapp)(?:[ _-]?(?i-u:number|no|nr))?\.?";
    let operator = "[\"'*]{0,3}[ \\t]{0,2}(?::|=|(?i-u:is)|(?i-u:at))[ \\t\"'*]{0,4}";
    let number = up_to_a_date(r"\+?", 6);
    format!(r"(?:{START}|_){name}{operator}(?:{number})")
}

/// `+44 20 7946 0958`, `+442079460958`, `+49 (0)30 1234567`: a plus and 10 to 15 digits.
fn international() -> String {
    let number = up_to_a_date(r"\+", 9);
    format!(r"{START}(?:{ISO_DATE}{END}|{number})")
}

/// A plus or not, a first digit and more of them, `least` to 14. Where a North American number ends is known; others end
/// in front of a date, if one follows.
fn up_to_a_date(plus: &str, least: usize) -> String {
    let north_american = format!(r"{plus}1[ .-]?\(?[0-9]{{3}}\)?[ .-]?[0-9]{{3}}[ .-]?[0-9]{{4}}");
    let digits = format!(r"{plus}\(?[0-9](?:{SEPARATOR}?[0-9])");
    format!(
        "({north_american}{EXTENSION}){END}|({digits}{{{least},14}}?)[ ,;]{{1,2}}{DATE}{END}|\
         ({digits}{{{least},14}}{EXTENSION}){END}"
    )
}

/// `206-555-0100`, `(206) 555-0100`, `1-800-555-0199`. Three bare groups need an area that could exist, or more
/// numbers in a table would do.
fn north_american() -> String {
    let forms = [
        r"\([0-9]{3}\)[ .-]?[0-9]{3}[ .-][0-9]{4}",
        r"[0-9]{3}-[0-9]{3}-[0-9]{4}",
        r"[0-9]{3}\.[0-9]{3}\.[0-9]{4}",
        r"[2-9][0-9]{2} [0-9]{3}[ -][0-9]{4}",
    ];
    format!("{START}((?:1[ .-]?)?(?:{}){EXTENSION}){END}", forms.join("|"))
}

/// `020 7946 0958`, `(030) 1234567`, `01 23 45 67 89`: a national 0 and groups of two digits and more. Dates and times
/// are taken first and are none, nor are six pairs of digits and more: those are a dump of bytes.
fn national() -> String {
    let time = "(?:[ T][0-9]{1,2}[:.h][0-9]{2})?";
    let pairs = "[0-9]{2}(?: [0-9]{2}){5,}";
    let number = format!(r"\(?0[0-9]{{1,4}}(?:{SEPARATOR}[0-9]{{2,8}}){{1,5}}");
    format!("{START}(?:(?:{DATE}|{ISO_DATE}){time}{END}|{pairs}|({number}){END})")
}

/// National numbers have few features of their own, so that their digits are counted.
fn is_number(candidate: &Candidate<'_>) -> bool {
    let is_named = candidate.matched.start < candidate.range.start;
    let is_national = candidate.value.starts_with('0') || candidate.value.starts_with("(0");
    is_named || !is_national || (has_the_digits_of_a_number(candidate.value) && !is_several_numbers(candidate.value))
}

fn has_the_digits_of_a_number(value: &str) -> bool {
    let digits: Vec<u8> = value.bytes().filter(u8::is_ascii_digit).collect();
    let distinct = (b'0'..=b'9').filter(|digit| digits.contains(digit)).count();
    (10..=15).contains(&digits.len()) && distinct > 2
}

/// `01.25 03.50 04.75` are decimals, `010.020.030.040` is an IP address of sorts.
fn is_several_numbers(value: &str) -> bool {
    let points = value.bytes().filter(|byte| *byte == b'.').count();
    points > 0 && (value.contains(' ') || (points == 3 && value.split('.').all(|group| group.len() <= 3)))
}
