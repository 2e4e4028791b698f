//! The pure half of the RAG service: what a document is, how it becomes nodes, which passages win.
//!
//! Nothing here does I/O, is async, or knows HTTP, SQLite, FAISS or tantivy: every decision that can be a plain
//! function is one, and is tested as one.

pub mod chat;
pub mod document;
pub mod embed_text;
pub mod embedding;
pub mod filter;
pub mod fusion;
pub mod index_name;
pub mod metadata;
pub mod node;
pub mod node_parser;
pub mod retrieval;

mod error_chain;
mod python_format;

pub use error_chain::error_chain;
