//! Retrieval test collections in BEIR's layout: `corpus.jsonl`, `queries.jsonl`, `qrels.tsv`.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// A document of a corpus.
#[derive(Clone, Debug, Deserialize)]
pub struct CorpusDocument {
    /// Name in the judgements.
    #[serde(alias = "_id")]
    pub id: String,
    /// May be empty, and may be repeated at the beginning of the text.
    #[serde(default)]
    pub title: String,
    /// The text.
    pub text: String,
}

/// A query.
#[derive(Clone, Debug, Deserialize)]
pub struct Query {
    /// Name in the judgements.
    #[serde(alias = "_id")]
    pub id: String,
    /// The question.
    pub text: String,
}

/// For each query, the relevance of each judged document.
pub type Judgements = BTreeMap<String, BTreeMap<String, u32>>;

/// A collection.
#[derive(Clone, Debug)]
pub struct Collection {
    /// All documents.
    pub corpus: Vec<CorpusDocument>,
    /// All queries.
    pub queries: Vec<Query>,
    /// All judgements.
    pub judgements: Judgements,
}

impl Collection {
    /// Reads a collection from its directory.
    ///
    /// # Errors
    /// When a file is missing or a line does not parse; the error names both.
    pub fn read(directory: &Path) -> Result<Self> {
        Ok(Self {
            corpus: json_lines(&directory.join("corpus.jsonl"))?,
            queries: json_lines(&directory.join("queries.jsonl"))?,
            judgements: judgements(&directory.join("qrels.tsv"))?,
        })
    }
}

impl CorpusDocument {
    /// What is indexed: the text, under its title unless it begins with it.
    pub fn indexed_text(&self) -> String {
        let title = self.title.trim();
        if title.is_empty() || self.text.trim_start().starts_with(title) {
            return self.text.clone();
        }
        format!("{title}\n\n{}", self.text)
    }
}

fn json_lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {path:?}"))?;
    let parse = |(number, line): (usize, &str)| {
        serde_json::from_str(line).with_context(|| format!("line {} of {path:?}", number + 1))
    };
    text.lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
        .map(parse)
        .collect()
}

fn judgements(path: &Path) -> Result<Judgements> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {path:?}"))?;
    let mut judgements = Judgements::new();
    for (number, line) in text.lines().enumerate().skip(1) {
        let mut columns = line.split('\t');
        let (Some(query), Some(document), Some(relevance)) = (columns.next(), columns.next(), columns.next()) else {
            anyhow::bail!("line {} of {path:?} does not have three columns", number + 1);
        };
        let relevance: i64 = relevance
            .trim()
            .parse()
            .with_context(|| format!("line {} of {path:?}", number + 1))?;
        let relevance = u32::try_from(relevance).unwrap_or(0);
        judgements
            .entry(query.to_owned())
            .or_default()
            .insert(document.to_owned(), relevance);
    }
    Ok(judgements)
}
