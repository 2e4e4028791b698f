//! The programming languages there are grammars for. The grammars are linked into the program, so this table cannot be
//! a data file.

use tree_sitter::Language as Grammar;

/// A language that source code can be cut in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    Bash,
    C,
    Cpp,
    CSharp,
    Css,
    Go,
    Html,
    Java,
    JavaScript,
    Json,
    Php,
    Python,
    Ruby,
    Rust,
    Tsx,
    TypeScript,
    Yaml,
}

impl Language {
    pub(super) const ALL: [Self; 17] = [
        Self::Bash,
        Self::C,
        Self::Cpp,
        Self::CSharp,
        Self::Css,
        Self::Go,
        Self::Html,
        Self::Java,
        Self::JavaScript,
        Self::Json,
        Self::Php,
        Self::Python,
        Self::Ruby,
        Self::Rust,
        Self::Tsx,
        Self::TypeScript,
        Self::Yaml,
    ];

    /// The language with this name or alias, in any case.
    pub(super) fn named(name: &str) -> Option<Self> {
        let name = name.trim().to_lowercase();
        Self::ALL
            .into_iter()
            .find(|language| language.spellings().contains(&name.as_str()))
    }

    /// The names of all languages, for messages.
    pub(super) fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }

    /// The first spelling.
    pub(super) fn name(self) -> &'static str {
        self.spellings().first().copied().unwrap_or_default()
    }

    /// The name, then its aliases.
    fn spellings(self) -> &'static [&'static str] {
        match self {
            Self::Bash => &["bash", "sh", "shell", "zsh"],
            Self::C => &["c", "h"],
            Self::Cpp => &["cpp", "c++", "cc", "cxx", "hpp"],
            Self::CSharp => &["csharp", "c_sharp", "c#", "cs"],
            Self::Css => &["css"],
            Self::Go => &["go", "golang"],
            Self::Html => &["html", "htm"],
            Self::Java => &["java"],
            Self::JavaScript => &["javascript", "js", "jsx"],
            Self::Json => &["json"],
            Self::Php => &["php"],
            Self::Python => &["python", "py", "python3"],
            Self::Ruby => &["ruby", "rb"],
            Self::Rust => &["rust", "rs"],
            Self::Tsx => &["tsx"],
            Self::TypeScript => &["typescript", "ts"],
            Self::Yaml => &["yaml", "yml"],
        }
    }

    /// The grammar to parse this source with.
    pub(super) fn grammar(self, source: &str) -> Grammar {
        match self {
            Self::Bash => tree_sitter_bash::LANGUAGE.into(),
            Self::C => tree_sitter_c::LANGUAGE.into(),
            Self::Cpp => tree_sitter_cpp::LANGUAGE.into(),
            Self::CSharp => tree_sitter_c_sharp::LANGUAGE.into(),
            Self::Css => tree_sitter_css::LANGUAGE.into(),
            Self::Go => tree_sitter_go::LANGUAGE.into(),
            Self::Html => tree_sitter_html::LANGUAGE.into(),
            Self::Java => tree_sitter_java::LANGUAGE.into(),
            Self::JavaScript => tree_sitter_javascript::LANGUAGE.into(),
            Self::Json => tree_sitter_json::LANGUAGE.into(),
            // Before its first `<?php` a PHP file is text, and so would be a snippet or window that has none.
            Self::Php if source.contains("<?") => tree_sitter_php::LANGUAGE_PHP.into(),
            Self::Php => tree_sitter_php::LANGUAGE_PHP_ONLY.into(),
            Self::Python => tree_sitter_python::LANGUAGE.into(),
            Self::Ruby => tree_sitter_ruby::LANGUAGE.into(),
            Self::Rust => tree_sitter_rust::LANGUAGE.into(),
            Self::Tsx => tree_sitter_typescript::LANGUAGE_TSX.into(),
            Self::TypeScript => tree_sitter_typescript::LANGUAGE_TYPESCRIPT.into(),
            Self::Yaml => tree_sitter_yaml::LANGUAGE.into(),
        }
    }
}
