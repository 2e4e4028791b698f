//! Listing, updating and deleting documents.

use std::time::Instant;

use rag_core::document::{DigestedDocument, Document, DocumentId};
use rag_core::filter::Filter;
use rag_core::index_name::IndexName;
use rag_store::{DocumentPage, NodePage, Page, UpdateOutcome};
use tracing::instrument;

use super::{Engine, EngineError};
use crate::metrics::StoreOperation;

/// Which part of an index to list.
#[derive(Clone, Debug)]
pub struct ListRequest {
    /// Items to skip and to return.
    pub page: Page,
    /// Only items whose document's metadata match.
    pub filter: Option<Filter>,
}

/// What an update did, each list in the order of the request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UpdatedDocuments {
    /// Replaced.
    pub updated: Vec<Document>,
    /// The same already.
    pub unchanged: Vec<Document>,
    /// Not in the index, and not added.
    pub not_found: Vec<Document>,
}

impl Engine {
    /// Lists nodes in the order their documents were stored.
    ///
    /// # Errors
    /// When there is no such index or the store fails.
    pub async fn list_nodes(&self, name: &IndexName, request: ListRequest) -> Result<NodePage, EngineError> {
        Ok(self.store.list_nodes(name, request.page, request.filter).await?)
    }

    /// Lists documents in the order they were stored.
    ///
    /// # Errors
    /// When there is no such index or the store fails.
    pub async fn list_documents(&self, name: &IndexName, request: ListRequest) -> Result<DocumentPage, EngineError> {
        Ok(self.store.list_documents(name, request.page, request.filter).await?)
    }

    /// Replaces documents by id. Only those whose text or metadata differ are parsed and embedded again.
    ///
    /// # Errors
    /// When there is no such index, or a document cannot be parsed, embedded or stored; then none was replaced.
    #[instrument(skip_all, fields(index.name = %name, documents = documents.len()))]
    pub async fn update_documents(
        &self,
        name: &IndexName,
        documents: Vec<Document>,
    ) -> Result<UpdatedDocuments, EngineError> {
        let documents: Vec<DigestedDocument> = documents.into_iter().map(DigestedDocument::from).collect();
        let digests = documents.iter().map(|document| document.digest().clone()).collect();
        let plan = self.store.plan_update(name, digests).await?;
        let changed: Vec<DigestedDocument> = documents
            .iter()
            .zip(&plan)
            .filter(|(_, outcome)| **outcome == UpdateOutcome::Updated)
            .map(|(document, _)| document.clone())
            .collect();
        // The writer decides again, inside its transaction; its word counts.
        let mut decided = if changed.is_empty() {
            Vec::new()
        } else {
            let embedded = self.embed_documents(changed).await?;
            self.store.update(name, embedded).await?
        }
        .into_iter();
        let mut result = UpdatedDocuments::default();
        for (document, planned) in documents.into_iter().map(Document::from).zip(plan) {
            let outcome = match planned {
                UpdateOutcome::Updated => decided.next().unwrap_or(planned),
                UpdateOutcome::Unchanged | UpdateOutcome::NotFound => planned,
            };
            match outcome {
                UpdateOutcome::Updated => result.updated.push(document),
                UpdateOutcome::Unchanged => result.unchanged.push(document),
                UpdateOutcome::NotFound => result.not_found.push(document),
            }
        }
        Ok(result)
    }

    /// Deletes documents by id; for each, in order, whether it was there when the request came.
    ///
    /// # Errors
    /// When there is no such index or the store fails.
    #[instrument(skip_all, fields(index.name = %name, documents = ids.len()))]
    pub async fn delete_documents(&self, name: &IndexName, ids: Vec<DocumentId>) -> Result<Vec<bool>, EngineError> {
        let started = Instant::now();
        let outcome = self.store.delete_documents(name, ids.clone()).await;
        self.metrics
            .observe_store(StoreOperation::Delete, outcome.is_ok(), started.elapsed());
        // An id named twice is gone the second time, and was there all the same.
        let outcome = outcome?;
        let deleted: std::collections::HashSet<&DocumentId> = ids
            .iter()
            .zip(&outcome)
            .filter(|(_, was_there)| **was_there)
            .map(|(id, _)| id)
            .collect();
        Ok(ids.iter().map(|id| deleted.contains(id)).collect())
    }
}
