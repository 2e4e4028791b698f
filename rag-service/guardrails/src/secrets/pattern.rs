//! From the catalogue's shapes to regular expressions.

use kaito_presets::{AssignedRow, Part, SecretCatalogue, Shape, TokenRow};

/// No word character before a token, and none behind it.
const START: &str = r"(?-u:\b{start-half})";
const END: &str = r"(?-u:\b{end-half})";

/// Between a vendor's name and its value: the rest of the name, an operator, and quotes on either side of it.
const OPERATOR: &str = "[A-Za-z0-9_. \\t-]{0,20}[\"'`*]{0,3}[ \\t]{0,3}(?::=|=>|[:=])[ \\t\"'`*]{0,5}";

/// What may follow an assigned value. A bracket that opens is not among them: the value would be a function's name.
const TERMINATOR: &str = "(?:[\"'`\\s,;|)}\\]*\\\\&<]|\\.(?:\\s|\\z)|\\z)";

/// The pattern of a token that is told by itself.
pub(super) fn token(catalogue: &SecretCatalogue, row: &TokenRow) -> String {
    row.pattern.clone().unwrap_or_else(|| {
        alternatives(row.shapes.iter().map(|shape| {
            let end = if ends_in_a_bounded_run(shape) { END } else { "" };
            format!("{START}{}{end}", expression(catalogue, shape))
        }))
    })
}

/// The pattern of a value that is told by the name it is assigned to; the value is its only group.
pub(super) fn assigned(catalogue: &SecretCatalogue, row: &AssignedRow) -> String {
    let vendors = alternatives(row.vendors.iter().map(|vendor| regex_syntax::escape(vendor)));
    let values = alternatives(row.values.iter().map(|shape| expression(catalogue, shape)));
    format!("(?i-u:{vendors}){OPERATOR}({values}){TERMINATOR}")
}

/// One word a shape without which it cannot match: its longest literal.
pub(super) fn keywords(shapes: &[Shape]) -> Vec<String> {
    let mut keywords: Vec<String> = shapes
        .iter()
        .filter_map(|shape| shape.literals().max_by_key(|literal| literal.len()))
        .map(str::to_ascii_lowercase)
        .collect();
    keywords.sort_unstable();
    keywords.dedup();
    keywords
}

fn alternatives(patterns: impl Iterator<Item = String>) -> String {
    format!("(?:{})", patterns.collect::<Vec<_>>().join("|"))
}

fn ends_in_a_bounded_run(shape: &Shape) -> bool {
    matches!(shape.parts().last(), Some(Part::Run { most: Some(_), .. }))
}

fn expression(catalogue: &SecretCatalogue, shape: &Shape) -> String {
    let parts = shape.parts().iter().map(|part| match part {
        Part::Literal(literal) => regex_syntax::escape(literal),
        Part::Run { charset, least, most } => {
            let most = most.map_or_else(String::new, |most| most.to_string());
            format!("{}{{{least},{most}}}", class(catalogue, charset))
        }
    });
    parts.collect()
}

fn class(catalogue: &SecretCatalogue, name: &str) -> String {
    let charset = catalogue
        .charset(name)
        .expect("the catalogue was refused if a shape mentioned an unknown charset");
    let escaped = |character: &char| regex_syntax::escape(character.encode_utf8(&mut [0; 4]));
    let ranges = charset.ranges().iter().map(|range| {
        if range.start() == range.end() {
            escaped(range.start())
        } else {
            format!("{}-{}", escaped(range.start()), escaped(range.end()))
        }
    });
    format!("[{}]", ranges.collect::<String>())
}
