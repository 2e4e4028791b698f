//! Which tokenizer counts a model's tokens: its own when there is one on disk, else o200k. Never the network's.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use moka::future::Cache;
use rag_core::chat::tokens::ChatTokenCounter;
use tokenizers::Tokenizer;

/// Models whose tokenizers are remembered.
const REMEMBERED: u64 = 16;

/// The tokenizer file that is configured cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("RAG_LLM_TOKENIZER names {path:?}, which is not a tokenizer.json that can be read")]
pub struct LoadTokenizer {
    path: PathBuf,
    #[source]
    source: Box<dyn std::error::Error + Send + Sync>,
}

/// Finds token counters by model.
pub struct Tokenizers {
    fixed: Option<ChatTokenCounter>,
    models_dir: PathBuf,
    known: Cache<String, ChatTokenCounter>,
}

impl Tokenizers {
    /// Counts with the tokenizer in `configured` for every model, or looks for `<owner>--<name>/tokenizer.json` of each
    /// model in `models_dir`. Reads a file: not for asynchronous code.
    ///
    /// # Errors
    /// When the configured file cannot be used.
    pub fn new(configured: Option<&Path>, models_dir: PathBuf) -> Result<Self, LoadTokenizer> {
        let fixed = configured.map(|path| {
            load(path).map_err(|source| LoadTokenizer {
                path: path.to_owned(),
                source,
            })
        });
        Ok(Self {
            fixed: fixed.transpose()?,
            models_dir,
            known: Cache::new(REMEMBERED),
        })
    }

    /// The counter of a model that the backend lists; o200k when none is known.
    pub async fn of_model(&self, id: Option<&str>) -> ChatTokenCounter {
        if let Some(fixed) = &self.fixed {
            return fixed.clone();
        }
        let Some((id, directory)) = id.and_then(|id| Some((id, directory_name(id)?))) else {
            return ChatTokenCounter::o200k();
        };
        let path = self.models_dir.join(directory).join("tokenizer.json");
        let find = async move {
            let found = tokio::task::spawn_blocking(move || path.is_file().then(|| load(&path))).await;
            match found {
                Ok(Some(Ok(counter))) => counter,
                Ok(Some(Err(error))) => {
                    tracing::warn!(model.id = id, %error, "the model's tokenizer cannot be read, counting with o200k");
                    ChatTokenCounter::o200k()
                }
                Ok(None) | Err(_) => ChatTokenCounter::o200k(),
            }
        };
        self.known.get_with(id.to_owned(), find).await
    }
}

fn load(path: &Path) -> Result<ChatTokenCounter, Box<dyn std::error::Error + Send + Sync>> {
    let mut tokenizer = Tokenizer::from_file(path)?;
    // Files carry the training's limits; a count must see the whole text.
    tokenizer.with_truncation(None)?;
    tokenizer.with_padding(None);
    Ok(ChatTokenCounter::from_tokenizer(Arc::new(tokenizer)))
}

/// `owner/name` as a directory name; `None` for ids that could lead elsewhere.
fn directory_name(id: &str) -> Option<String> {
    let (owner, name) = id.split_once('/')?;
    let is_plain = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part
                .chars()
                .all(|character| character.is_ascii_alphanumeric() || "-_.".contains(character))
    };
    (is_plain(owner) && is_plain(name)).then(|| format!("{owner}--{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hub_names_become_directories() {
        assert_eq!(directory_name("microsoft/phi-4").as_deref(), Some("microsoft--phi-4"));
        for id in ["phi-4", "../etc/x", "a/../b", "a/..", "/a", "a/b/c", "a/b c"] {
            assert_eq!(directory_name(id), None, "{id}");
        }
    }
}
