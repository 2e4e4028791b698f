//! Source that must not reach a grammar, because it would abort the process or take minutes.
//!
//! Some grammars come with a scanner in C that keeps a stack in a buffer of 1024 bytes. Where it does not check for
//! room, or stores a length in a byte, a text that nests deeply enough aborts the whole process; the bounds here are
//! below those that the scanners can take. Read for this: bash 0.25, C++ 0.23, C# 0.23, HTML 0.23, PHP 0.24, Python 0.25,
//! Ruby 0.23, Rust 0.24, YAML 0.7. The others keep no state. Read them again when they are updated.

use super::language::Language;

/// YAML's scanner has room for 253 open blocks, and each begins with an indicator.
const MAX_BLOCK_INDICATORS: usize = 250;

/// Python's scanner has room for 383 indentations, each wider than the one before.
const MAX_INDENTATION: usize = 300;

/// Bash's parser keeps every reading of a row of redirections and pipes open, in a time that grows with its square.
const MAX_SHELL_OPERATORS: usize = 2000;

/// HTML's scanner is safe, but copies all open elements for every tag it reads.
const MAX_OPEN_ELEMENTS: usize = 2000;

/// Whether the source might be more than the grammar of its language can take.
pub(super) fn is_hazardous(language: Language, source: &str) -> bool {
    match language {
        Language::Bash => source.matches(['<', '>', '|']).count() > MAX_SHELL_OPERATORS,
        Language::Html => open_elements(source) > MAX_OPEN_ELEMENTS,
        Language::Python => widest_indentation(source) > MAX_INDENTATION,
        // Ruby's scanner has no sound bound once a heredoc is open.
        Language::Ruby => opens_heredoc(source),
        Language::Yaml => block_indicators(source) > MAX_BLOCK_INDICATORS,
        Language::C
        | Language::Cpp
        | Language::CSharp
        | Language::Css
        | Language::Go
        | Language::Java
        | Language::JavaScript
        | Language::Json
        | Language::Php
        | Language::Rust
        | Language::Tsx
        | Language::TypeScript => false,
    }
}

/// How many elements are open at once, at most. An upper estimate, as some elements need no closing.
fn open_elements(html: &str) -> usize {
    let mut open: usize = 0;
    let mut most = 0;
    for tag in html.split('<').skip(1) {
        open = if tag.starts_with('/') {
            open.saturating_sub(1)
        } else {
            open + 1
        };
        most = most.max(open);
    }
    most
}

/// Columns of the widest white space; a tab has eight, and a continued line adds to the one before.
fn widest_indentation(python: &str) -> usize {
    let mut width: usize = 0;
    let mut widest = 0;
    let mut previous = '\n';
    for character in python.chars() {
        width = match character {
            ' ' => width + 1,
            '\t' => width + 8,
            '\\' | '\r' => width,
            '\n' if matches!(previous, '\\' | '\r') => width,
            _ => 0,
        };
        widest = widest.max(width);
        previous = character;
    }
    widest
}

/// Whether `<<` is followed by a heredoc's name and not, as in appending, by a space.
fn opens_heredoc(ruby: &str) -> bool {
    ruby.split("<<").skip(1).any(|rest| {
        let name = rest.strip_prefix(['-', '~']).unwrap_or(rest);
        name.starts_with(|first: char| first.is_alphanumeric() || !first.is_ascii() || "_'\"`".contains(first))
    })
}

/// Characters that can open a block: `-`, `?` and `:` before white space, `|` and `>` anywhere.
fn block_indicators(yaml: &str) -> usize {
    let next = yaml.chars().skip(1).map(Some).chain(std::iter::once(None));
    yaml.chars()
        .zip(next)
        .filter(|(character, next)| match character {
            '-' | '?' | ':' => matches!(next, None | Some(' ' | '\t' | '\r' | '\n' | '\0')),
            '|' | '>' => true,
            _ => false,
        })
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn source_that_a_grammar_cannot_take_is_hazardous() {
        let tabs = |columns: usize| format!("{}{}", "\t".repeat(columns / 8), " ".repeat(columns % 8));
        let deep_python: String = (0..500).map(|columns| format!("{}if x:\n", tabs(columns))).collect();
        let continued = format!("if x:\n{}x\n", format!("{}\\\n", " ".repeat(20)).repeat(20));
        let cases = [
            (Language::Yaml, "- ".repeat(300)),
            (
                Language::Yaml,
                (0..300).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect(),
            ),
            (Language::Yaml, "? ".repeat(300)),
            (Language::Python, deep_python),
            (Language::Python, continued),
            (Language::Ruby, format!("f(<<{}\n", "A".repeat(300))),
            (Language::Ruby, format!("f({})\n", ["<<~A"; 300].join(", "))),
            (Language::Ruby, format!("f(<<-\"{}\")\n", "some text ".repeat(50))),
            (Language::Html, "<a>".repeat(3000)),
            (Language::Bash, "<a>".repeat(3000)),
        ];
        for (language, source) in cases {
            assert!(is_hazardous(language, &source), "{language:?}: {source:.60}");
        }
    }

    #[test]
    fn ordinary_source_is_not_hazardous() {
        let cases = [
            (
                Language::Yaml,
                "kind: Pod\nspec:\n  containers:\n    - name: x\n      args: [a, b]\n".repeat(20),
            ),
            (
                Language::Python,
                "class A:\n    def f(self):\n\t\treturn self \\\n            .g()\n".repeat(100),
            ),
            (
                Language::Ruby,
                "class << self\n  def f(list)\n    list << 1\n  end\nend\n".repeat(100),
            ),
            (Language::Html, "<ul><li class=\"x\">text<br></li></ul>\n".repeat(500)),
        ];
        for (language, source) in cases {
            assert!(!is_hazardous(language, &source), "{language:?}");
        }
    }
}
