//! How text becomes words.

use tantivy::tokenizer::{
    AsciiFoldingFilter, Language, LowerCaser, RemoveLongFilter, SimpleTokenizer, Stemmer, StopWordFilter, TextAnalyzer,
    TokenizerManager,
};

/// Name of the analyser for natural language.
pub(super) const PROSE: &str = "prose";
/// Name of the analyser for source code.
pub(super) const CODE: &str = "code";

/// Longer words are encoded data rather than language, in bytes.
const MAX_WORD_BYTES: usize = 100;

pub(super) fn tokenizers() -> TokenizerManager {
    let manager = TokenizerManager::default();
    manager.register(PROSE, prose());
    manager.register(CODE, code());
    manager
}

/// Words, lower-case, accents folded, English stop words dropped, the rest stemmed.
fn prose() -> TextAnalyzer {
    let stop_words = StopWordFilter::new(Language::English).expect("tantivy has English stop words");
    TextAnalyzer::builder(SimpleTokenizer::default())
        .filter(RemoveLongFilter::limit(MAX_WORD_BYTES))
        .filter(LowerCaser)
        .filter(AsciiFoldingFilter)
        .filter(stop_words)
        .filter(Stemmer::new(Language::English))
        .build()
}

/// Words, lower-case; an identifier is cut at its underscores.
fn code() -> TextAnalyzer {
    TextAnalyzer::builder(SimpleTokenizer::default())
        .filter(RemoveLongFilter::limit(MAX_WORD_BYTES))
        .filter(LowerCaser)
        .build()
}
