//! Ingestion: parse, embed, store.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use rag_core::document::{DigestedDocument, Document, DocumentId};
use rag_core::embed_text::EmbeddedKeys;
use rag_core::index_name::IndexName;
use rag_core::node::Node;
use rag_core::node_parser::{NodeParser, ParseNodes};
use rag_store::{IndexedDocument, IndexedNode, InsertOutcome};
use tracing::instrument;

use super::{Engine, EngineError};
use crate::metrics::StoreOperation;

/// A document and its nodes, before they have vectors.
struct ParsedDocument {
    document: DigestedDocument,
    nodes: Vec<Node>,
}

impl Engine {
    /// Adds documents to an index, which is made if there is none. Returns, for each document in order, the id under
    /// which its text is stored: a text that is there already is not stored again.
    ///
    /// All or nothing: when a document cannot be parsed or embedded, none of the request is stored.
    ///
    /// # Errors
    /// When a document cannot be parsed, embedded or stored.
    #[instrument(skip_all, fields(index.name = %name, documents = documents.len()))]
    pub async fn index_documents(
        &self,
        name: &IndexName,
        documents: Vec<Document>,
    ) -> Result<Vec<DocumentId>, EngineError> {
        if documents.is_empty() {
            return Ok(Vec::new());
        }
        let mut ids: Vec<DocumentId> = documents.iter().map(|document| document.id.clone()).collect();
        let documents: Vec<DigestedDocument> = documents.into_iter().map(DigestedDocument::from).collect();
        let mut stored_ids = self.duplicates(name, &documents).await?;
        let mut seen = HashSet::new();
        let (places, new): (Vec<usize>, Vec<DigestedDocument>) = documents
            .into_iter()
            .enumerate()
            .zip(&stored_ids)
            .filter(|((_, document), stored)| stored.is_none() && seen.insert(document.id.clone()))
            .map(|(numbered, _)| numbered)
            .unzip();
        let embedded = self.embed_documents(new).await?;
        let started = Instant::now();
        let outcome = self.store.insert(name, embedded).await;
        self.metrics
            .observe_store(StoreOperation::Insert, outcome.is_ok(), started.elapsed());
        for (place, outcome) in places.into_iter().zip(outcome?) {
            if let (InsertOutcome::Duplicate(id), Some(stored)) = (outcome, stored_ids.get_mut(place)) {
                *stored = Some(id);
            }
        }
        for (id, stored) in ids.iter_mut().zip(stored_ids) {
            if let Some(stored) = stored {
                *id = stored;
            }
        }
        Ok(ids)
    }

    async fn duplicates(
        &self,
        name: &IndexName,
        documents: &[DigestedDocument],
    ) -> Result<Vec<Option<DocumentId>>, EngineError> {
        if self.store.contains(name).await? {
            let digests = documents.iter().map(|document| document.digest().clone()).collect();
            return Ok(self.store.find_duplicates(name, digests).await?);
        }
        Ok(vec![None; documents.len()])
    }

    /// Cuts and embeds documents, in their order.
    pub(super) async fn embed_documents(
        &self,
        documents: Vec<DigestedDocument>,
    ) -> Result<Vec<IndexedDocument>, EngineError> {
        let parser = Arc::clone(&self.node_parser);
        let parsed = tokio::task::spawn_blocking(move || parse_all(&parser, documents))
            .await
            .map_err(|_| EngineError::Stopped)??;
        let texts = parsed
            .iter()
            .flat_map(|parsed| embed_texts(&self.embedded_keys, parsed))
            .collect();
        let mut vectors = self.embed_passages(texts).await?.into_iter();
        Ok(parsed
            .into_iter()
            .map(|parsed| {
                let count = parsed.nodes.len();
                IndexedDocument {
                    search_header: self.embedded_keys.header(&parsed.document.metadata),
                    document: parsed.document,
                    nodes: parsed
                        .nodes
                        .into_iter()
                        .zip(vectors.by_ref().take(count))
                        .map(|(node, embedding)| IndexedNode { node, embedding })
                        .collect(),
                }
            })
            .collect())
    }
}

fn parse_all(parser: &NodeParser, documents: Vec<DigestedDocument>) -> Result<Vec<ParsedDocument>, ParseNodes> {
    documents
        .into_iter()
        .map(|document| {
            Ok(ParsedDocument {
                nodes: parser.parse(&document)?,
                document,
            })
        })
        .collect()
}

fn embed_texts(keys: &EmbeddedKeys, parsed: &ParsedDocument) -> Vec<String> {
    parsed
        .nodes
        .iter()
        .map(|node| keys.embed_text(&parsed.document.metadata, &node.text))
        .collect()
}
