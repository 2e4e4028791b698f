//! The lexical index of one index: BM25 over analysed words, by tantivy. The one module that names it.
//!
//! Prose is stemmed and stripped of stop words, code is taken word by word; each node is in one of the two fields and
//! a query asks both. Like the vector index it is derived: the commit carries the version of the documents it reflects,
//! and anything else leads to a rebuild.

mod analysis;

use std::collections::BTreeMap;
use std::path::Path;

use parking_lot::Mutex;
use rag_core::node::TextKind;
use rag_core::retrieval::{Hit, NodeKey};
use roaring::RoaringTreemap;
use tantivy::collector::{FilterCollector, TopDocs};
use tantivy::indexer::{IndexWriterOptions, LogMergePolicy};
use tantivy::query::{BooleanQuery, BoostQuery, Occur, Query, TermQuery};
use tantivy::schema::{FAST, Field, INDEXED, IndexRecordOption, Schema, TextFieldIndexing, TextOptions};
use tantivy::{Index, IndexReader, IndexWriter, ReloadPolicy, TantivyDocument, Term};

use crate::docstore::Version;
use crate::error::Fault;

/// Memory the writer may fill before it flushes a segment, in bytes.
const WRITER_MEMORY: usize = 32 << 20;
/// Deleted documents still count in BM25's statistics until their segment is merged; a segment with a larger share of
/// them than this is merged.
const MAX_DELETED_SHARE: f32 = 0.2;
/// Distinct words of a query that are looked up; the rest of a longer query is ignored.
const MAX_QUERY_TERMS: usize = 256;

/// BM25 search (k1 = 1.2, b = 0.75) over the texts of one index.
pub struct LexicalIndex {
    index: Index,
    fields: Fields,
    reader: IndexReader,
    /// Made on the first write: a writer owns threads, and most open indexes are only read.
    writer: Mutex<Option<IndexWriter>>,
}

#[derive(Clone, Copy)]
struct Fields {
    key: Field,
    prose: Field,
    code: Field,
}

/// A text to make findable.
pub struct LexicalEntry<'a> {
    /// Its node.
    pub key: u64,
    /// What is searched.
    pub text: &'a str,
    /// How it is analysed.
    pub kind: TextKind,
}

impl LexicalIndex {
    /// Opens the index in a directory, or makes one there.
    ///
    /// # Errors
    /// When the directory holds something else or cannot be used.
    pub fn open(directory: &Path) -> Result<Self, Fault> {
        std::fs::create_dir_all(directory).map_err(Fault::file("create", directory))?;
        let (schema, _) = schema();
        let directory = tantivy::directory::MmapDirectory::open(directory).map_err(tantivy::TantivyError::from)?;
        Self::over(Index::open_or_create(directory, schema)?)
    }

    /// An index that is kept in memory only.
    ///
    /// # Errors
    /// When tantivy fails.
    pub fn in_memory() -> Result<Self, Fault> {
        Self::over(Index::create_in_ram(schema().0))
    }

    fn over(mut index: Index) -> Result<Self, Fault> {
        index.set_tokenizers(analysis::tokenizers());
        let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
        let (_, fields) = schema();
        Ok(Self {
            index,
            fields,
            reader,
            writer: Mutex::new(None),
        })
    }

    /// The version of the documents that the last commit reflects; `None` before the first.
    pub(crate) fn version(&self) -> Result<Option<Version>, Fault> {
        let payload = self.index.load_metas()?.payload;
        Ok(payload.and_then(|payload| serde_json::from_str(&payload).ok()))
    }

    /// Keys of all nodes that can be found.
    pub(crate) fn live_keys(&self) -> Result<RoaringTreemap, Fault> {
        let mut keys = RoaringTreemap::new();
        for segment in self.reader.searcher().segment_readers() {
            let column = segment.fast_fields().u64("key")?;
            keys.extend(segment.doc_ids_alive().filter_map(|document| column.first(document)));
        }
        Ok(keys)
    }

    /// Makes entries findable and keys not, commits, and shows the result to searches that start afterwards.
    pub(crate) fn apply<'a>(
        &self,
        added: impl IntoIterator<Item = LexicalEntry<'a>>,
        removed: impl IntoIterator<Item = u64>,
        version: &Version,
    ) -> Result<(), Fault> {
        let payload = serde_json::to_string(version)?;
        self.with_writer(|writer| {
            for key in removed {
                writer.delete_term(Term::from_field_u64(self.fields.key, key));
            }
            for entry in added {
                let mut document = TantivyDocument::new();
                document.add_u64(self.fields.key, entry.key);
                let field = match entry.kind {
                    TextKind::Prose => self.fields.prose,
                    TextKind::Code => self.fields.code,
                };
                document.add_text(field, entry.text);
                writer.add_document(document)?;
            }
            let mut commit = writer.prepare_commit()?;
            commit.set_payload(&payload);
            commit.commit()?;
            Ok(())
        })?;
        self.reader.reload()?;
        Ok(())
    }

    /// The `limit` best nodes for the words of a query, best first, equals by ascending key; only among `allowed` keys
    /// when given. A node without any of the words is not a hit.
    ///
    /// # Errors
    /// When tantivy cannot read its files.
    pub fn search(&self, query: &str, limit: usize, allowed: Option<&RoaringTreemap>) -> Result<Vec<Hit>, Fault> {
        let Some(query) = self.query(query)? else {
            return Ok(Vec::new());
        };
        let searcher = self.reader.searcher();
        let limit = limit.min(usize::try_from(searcher.num_docs()).unwrap_or(usize::MAX));
        if limit == 0 {
            return Ok(Vec::new());
        }
        let best = TopDocs::with_limit(limit).order_by_score();
        let found = match allowed {
            None => searcher.search(&query, &best)?,
            Some(allowed) => {
                let allowed = std::sync::Arc::new(allowed.clone());
                let filtered = FilterCollector::new("key".to_owned(), move |key: u64| allowed.contains(key), best);
                searcher.search(&query, &filtered)?
            }
        };
        let mut hits = Vec::with_capacity(found.len());
        for (score, address) in found {
            let column = searcher.segment_reader(address.segment_ord).fast_fields().u64("key")?;
            if let Some(key) = column.first(address.doc_id) {
                hits.push(Hit {
                    node: NodeKey(key),
                    score,
                });
            }
        }
        hits.sort_by(|left, right| right.score.total_cmp(&left.score).then(left.node.cmp(&right.node)));
        Ok(hits)
    }

    /// Merges all segments into one without deleted documents, so that scores depend on the live texts alone.
    ///
    /// # Errors
    /// When tantivy fails.
    pub fn merge(&self) -> Result<(), Fault> {
        // Merges under way would take segments from under the one asked for here.
        self.close();
        self.reader.reload()?;
        self.with_writer(|writer| {
            let segments = self.index.searchable_segment_ids()?;
            let has_deleted = self
                .reader
                .searcher()
                .segment_readers()
                .iter()
                .any(|segment| segment.has_deletes());
            if segments.len() > 1 || has_deleted {
                writer.merge(&segments).wait()?;
            }
            Ok(())
        })?;
        self.reader.reload()?;
        Ok(())
    }

    /// Waits for background merges and lets go of the writer.
    pub(crate) fn close(&self) {
        if let Some(writer) = self.writer.lock().take()
            && let Err(error) = writer.wait_merging_threads()
        {
            tracing::warn!(%error, "a background merge of the lexical index failed");
        }
    }

    fn with_writer(&self, write: impl FnOnce(&mut IndexWriter) -> Result<(), Fault>) -> Result<(), Fault> {
        let mut slot = self.writer.lock();
        let writer = match &mut *slot {
            Some(writer) => writer,
            None => slot.insert(self.new_writer()?),
        };
        let written = write(writer);
        if written.is_err() {
            // A writer that failed once refuses everything afterwards.
            *slot = None;
        }
        written
    }

    fn new_writer(&self) -> Result<IndexWriter, Fault> {
        let options = IndexWriterOptions::builder()
            .num_worker_threads(1)
            .num_merge_threads(1)
            .memory_budget_per_thread(WRITER_MEMORY)
            .build();
        let writer = self.index.writer_with_options(options)?;
        let mut policy = LogMergePolicy::default();
        policy.set_del_docs_ratio_before_merge(MAX_DELETED_SHARE);
        writer.set_merge_policy(Box::new(policy));
        Ok(writer)
    }

    /// Any of the query's words, each weighted by how often it occurs. Built from terms, never parsed: a query has no
    /// syntax that a user could trip over.
    fn query(&self, text: &str) -> Result<Option<BooleanQuery>, Fault> {
        let mut clauses: Vec<(Occur, Box<dyn Query>)> = Vec::new();
        for field in [self.fields.prose, self.fields.code] {
            let mut analyser = self.index.tokenizer_for_field(field)?;
            let mut counts: BTreeMap<String, u16> = BTreeMap::new();
            let mut stream = analyser.token_stream(text);
            while let Some(token) = stream.next() {
                if counts.len() < MAX_QUERY_TERMS || counts.contains_key(&token.text) {
                    let count = counts.entry(token.text.clone()).or_default();
                    *count = count.saturating_add(1);
                }
            }
            for (word, count) in counts {
                let term = TermQuery::new(Term::from_field_text(field, &word), IndexRecordOption::WithFreqs);
                let clause: Box<dyn Query> = if count == 1 {
                    Box::new(term)
                } else {
                    Box::new(BoostQuery::new(Box::new(term), f32::from(count)))
                };
                clauses.push((Occur::Should, clause));
            }
        }
        Ok((!clauses.is_empty()).then(|| BooleanQuery::new(clauses)))
    }
}

fn schema() -> (Schema, Fields) {
    let text = |analyser: &str| {
        TextOptions::default().set_indexing_options(
            TextFieldIndexing::default()
                .set_tokenizer(analyser)
                .set_index_option(IndexRecordOption::WithFreqs),
        )
    };
    let mut builder = Schema::builder();
    let key = builder.add_u64_field("key", INDEXED | FAST);
    let prose = builder.add_text_field("prose", text(analysis::PROSE));
    let code = builder.add_text_field("code", text(analysis::CODE));
    (builder.build(), Fields { key, prose, code })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(sequence: u64) -> Version {
        Version {
            epoch: "e".to_owned(),
            sequence,
        }
    }

    fn index_of(texts: &[(&str, TextKind)]) -> LexicalIndex {
        let index = LexicalIndex::in_memory().unwrap();
        let entries = (1..)
            .zip(texts)
            .map(|(key, (text, kind))| LexicalEntry { key, text, kind: *kind });
        index.apply(entries, [], &version(1)).unwrap();
        index
    }

    fn found(index: &LexicalIndex, query: &str) -> Vec<u64> {
        index
            .search(query, 10, None)
            .unwrap()
            .iter()
            .map(|hit| hit.node.0)
            .collect()
    }

    #[test]
    fn prose_is_found_by_its_stems_and_not_by_stop_words() {
        let index = index_of(&[
            ("The turbines were rotating quickly", TextKind::Prose),
            ("A boundary layer of the wing", TextKind::Prose),
        ]);
        assert_eq!(found(&index, "rotate turbine"), [1]);
        assert_eq!(found(&index, "the of a"), [] as [u64; 0]);
    }

    #[test]
    fn code_is_found_by_its_words_as_they_stand() {
        let index = index_of(&[("fn the_parser() { rotating(); }", TextKind::Code)]);
        assert_eq!(found(&index, "the"), [1]);
        assert_eq!(found(&index, "rotate"), [] as [u64; 0]);
        assert_eq!(found(&index, "rotating"), [1]);
    }

    #[test]
    fn a_query_has_no_syntax() {
        let index = index_of(&[("alpha AND beta", TextKind::Prose)]);
        assert_eq!(found(&index, "alpha AND (NOT \"beta^2 : * ["), [1]);
    }

    #[test]
    fn removed_texts_vanish_at_once_and_from_the_statistics_after_a_merge() {
        let index = index_of(&[("alpha beta", TextKind::Prose), ("alpha gamma", TextKind::Prose)]);
        let fresh = index_of(&[("alpha beta", TextKind::Prose)]);
        index.apply([], [2], &version(2)).unwrap();
        assert_eq!(found(&index, "alpha gamma"), [1]);
        index.merge().unwrap();
        assert_eq!(
            index.search("alpha", 5, None).unwrap(),
            fresh.search("alpha", 5, None).unwrap()
        );
        assert_eq!(index.version().unwrap(), Some(version(2)));
        assert_eq!(index.live_keys().unwrap(), RoaringTreemap::from_iter([1]));
    }

    #[test]
    fn a_filter_limits_the_hits_before_they_are_counted() {
        let texts: Vec<_> = (0..50).map(|_| ("alpha", TextKind::Prose)).collect();
        let index = index_of(&texts);
        let allowed = RoaringTreemap::from_iter([7, 49]);
        let hits = index.search("alpha", 2, Some(&allowed)).unwrap();
        assert_eq!(hits.iter().map(|hit| hit.node.0).collect::<Vec<_>>(), [7, 49]);
    }
}
