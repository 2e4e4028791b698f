//! Where indexed documents live and how they are found.
//!
//! [`DocumentStore`] is what the service's engine talks to. [`EmbeddedStore`] implements it inside the process: SQLite
//! holds the truth ([`docstore`]), FAISS ([`dense`]) and tantivy ([`lexical`]) are derived from it and can always be
//! rebuilt. An external vector database would be another implementation of the same trait; nothing of SQLite shows
//! through it.

pub mod dense;
mod docstore;
mod embedded;
mod error;
pub mod lexical;
mod store;

pub use embedded::{EmbeddedStore, EmbeddedStoreSettings, EmbeddingSpace};
pub use error::{Fault, OpenStore, StoreError};
pub use store::{
    Candidates, DocumentPage, DocumentStore, IndexState, IndexedDocument, IndexedNode, InsertOutcome, LoadRequest,
    NodePage, Page, RebuildCause, SearchRequest, StoreObserver, StoredDocument, StoredNode, Totals, UpdateOutcome,
};
