//! Questions to the documents. Each function sees one consistent state of the database.

use rag_core::document::{Document, DocumentDigest, DocumentId};
use rag_core::metadata::Metadata;
use rag_core::node::{CharSpan, NodeId, TextKind};
use rag_core::retrieval::NodeKey;
use roaring::RoaringTreemap;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::filtered::MatchingDocuments;
use crate::error::Fault;
use crate::store::{DocumentPage, NodePage, Page, StoredDocument, StoredNode, UpdateOutcome};

const NODE_COLUMNS: &str = "nodes.key, nodes.id, documents.id, nodes.position, nodes.char_start, nodes.char_end, \
                            nodes.text, documents.metadata";

/// Which state of which database something was derived from.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Version {
    /// Drawn when the database was made, and again at every restore.
    pub(crate) epoch: String,
    /// Number of the last transaction.
    pub(crate) sequence: u64,
}

/// The present version.
pub(crate) fn version(connection: &Connection) -> Result<Version, Fault> {
    let (epoch, sequence) = connection.query_row("SELECT epoch, sequence FROM state", [], |row| {
        Ok((row.get(0)?, row.get(1)?))
    })?;
    Ok(Version {
        epoch,
        sequence: key_from_sql(sequence)?,
    })
}

/// Number of nodes.
pub(crate) fn count_nodes(connection: &Connection) -> Result<u64, Fault> {
    key_from_sql(connection.query_row("SELECT count(*) FROM nodes", [], |row| row.get(0))?)
}

/// Keys of all nodes.
pub(crate) fn live_keys(connection: &Connection) -> Result<RoaringTreemap, Fault> {
    let mut statement = connection.prepare("SELECT key FROM embeddings ORDER BY key")?;
    let mut rows = statement.query([])?;
    let mut keys = RoaringTreemap::new();
    while let Some(row) = rows.next()? {
        keys.insert(key_from_sql(row.get(0)?)?);
    }
    Ok(keys)
}

/// Calls `visit` with key and vector of each wanted node, in ascending order of keys.
pub(crate) fn vectors(
    connection: &Connection,
    wanted: &RoaringTreemap,
    mut visit: impl FnMut(u64, Vec<f32>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut statement = connection.prepare("SELECT vector FROM embeddings WHERE key = ?1")?;
    for key in wanted {
        let blob: Vec<u8> = statement.query_row([key_to_sql(key)], |row| row.get(0))?;
        visit(key, vector_from_blob(&blob)?)?;
    }
    Ok(())
}

/// Calls `visit` with key, analysed text and kind of each wanted node, in ascending order of keys.
pub(crate) fn searched_texts(
    connection: &Connection,
    wanted: &RoaringTreemap,
    mut visit: impl FnMut(u64, &str, TextKind) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut statement = connection.prepare(
        "SELECT documents.search_header || nodes.text, nodes.is_code
         FROM nodes JOIN documents ON documents.number = nodes.document WHERE nodes.key = ?1",
    )?;
    for key in wanted {
        let (text, is_code): (String, bool) =
            statement.query_row([key_to_sql(key)], |row| Ok((row.get(0)?, row.get(1)?)))?;
        visit(key, &text, if is_code { TextKind::Code } else { TextKind::Prose })?;
    }
    Ok(())
}

/// For each text, the id of the document that holds it.
pub(crate) fn existing_texts(
    connection: &Connection,
    documents: &[DocumentDigest],
) -> Result<Vec<Option<DocumentId>>, Fault> {
    documents
        .iter()
        .map(|document| holder_of_text(connection, &document.text_id))
        .collect()
}

/// The id of the document that holds the text of this digest; the one named by it first.
pub(crate) fn holder_of_text(connection: &Connection, text_id: &DocumentId) -> Result<Option<DocumentId>, Fault> {
    let id = connection
        .prepare_cached("SELECT id FROM documents WHERE text_id = ?1 ORDER BY id <> ?1, number LIMIT 1")?
        .query_row([text_id.as_str()], |row| row.get::<_, String>(0))
        .optional()?;
    Ok(id.map(DocumentId::from))
}

/// For each document, what an update by its id would do.
pub(crate) fn update_outcomes(
    connection: &Connection,
    documents: &[DocumentDigest],
) -> Result<Vec<UpdateOutcome>, Fault> {
    documents
        .iter()
        .map(|document| update_outcome(connection, document))
        .collect()
}

/// What an update to this document would do.
pub(crate) fn update_outcome(connection: &Connection, document: &DocumentDigest) -> Result<UpdateOutcome, Fault> {
    let stored: Option<String> = connection
        .prepare_cached("SELECT content_hash FROM documents WHERE id = ?1")?
        .query_row([document.id.as_str()], |row| row.get(0))
        .optional()?;
    Ok(match stored {
        None => UpdateOutcome::NotFound,
        Some(hash) if hash == document.content_hash => UpdateOutcome::Unchanged,
        Some(_) => UpdateOutcome::Updated,
    })
}

/// The nodes under these keys that still exist.
pub(crate) fn nodes_by_key(connection: &Connection, keys: &[NodeKey]) -> Result<Vec<StoredNode>, Fault> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {NODE_COLUMNS} FROM nodes JOIN documents ON documents.number = nodes.document WHERE nodes.key = ?1"
    ))?;
    let mut nodes = Vec::with_capacity(keys.len());
    for key in keys {
        let mut rows = statement.query([key_to_sql(key.0)])?;
        if let Some(row) = rows.next()? {
            nodes.push(node_from_row(row)?);
        }
    }
    Ok(nodes)
}

/// One page of nodes in storage order, of all documents or of the matching ones.
pub(crate) fn list_nodes(
    connection: &Connection,
    page: Page,
    matching: Option<&MatchingDocuments>,
) -> Result<NodePage, Fault> {
    let documents = matching.map_or_else(String::new, MatchingDocuments::json);
    let condition = match matching {
        None => "?1 = ''",
        Some(_) => "nodes.document IN (SELECT value FROM json_each(?1))",
    };
    let total = connection.query_row(
        &format!("SELECT count(*) FROM nodes WHERE {condition}"),
        [&documents],
        |row| row.get(0),
    )?;
    let mut statement = connection.prepare(&format!(
        "SELECT {NODE_COLUMNS} FROM nodes JOIN documents ON documents.number = nodes.document
         WHERE {condition} ORDER BY nodes.key LIMIT ?2 OFFSET ?3"
    ))?;
    let mut rows = statement.query(params![documents, key_to_sql(page.limit), key_to_sql(page.offset)])?;
    let mut nodes = Vec::new();
    while let Some(row) = rows.next()? {
        nodes.push(node_from_row(row)?);
    }
    Ok(NodePage {
        nodes,
        total: key_from_sql(total)?,
    })
}

/// One page of documents in storage order, of all or of the matching ones.
pub(crate) fn list_documents(
    connection: &Connection,
    page: Page,
    matching: Option<&MatchingDocuments>,
) -> Result<DocumentPage, Fault> {
    const COLUMNS: &str = "id, text, metadata, content_hash";
    let read = |row: &Row<'_>| -> Result<StoredDocument, Fault> {
        Ok(StoredDocument {
            document: Document {
                id: DocumentId::from(row.get::<_, String>(0)?),
                text: row.get(1)?,
                metadata: metadata_from_row(row, 2)?,
            },
            content_hash: row.get(3)?,
        })
    };
    let mut documents = Vec::new();
    let total = if let Some(matching) = matching {
        let mut statement = connection.prepare(&format!(
            "SELECT {COLUMNS} FROM documents WHERE number IN (SELECT value FROM json_each(?1)) ORDER BY number"
        ))?;
        let mut rows = statement.query([matching.page_json(page.offset, page.limit)])?;
        while let Some(row) = rows.next()? {
            documents.push(read(row)?);
        }
        matching.len() as u64
    } else {
        let mut statement = connection.prepare(&format!(
            "SELECT {COLUMNS} FROM documents ORDER BY number LIMIT ?1 OFFSET ?2"
        ))?;
        let mut rows = statement.query(params![key_to_sql(page.limit), key_to_sql(page.offset)])?;
        while let Some(row) = rows.next()? {
            documents.push(read(row)?);
        }
        key_from_sql(connection.query_row("SELECT count(*) FROM documents", [], |row| row.get(0))?)?
    };
    Ok(DocumentPage { documents, total })
}

fn node_from_row(row: &Row<'_>) -> Result<StoredNode, Fault> {
    Ok(StoredNode {
        key: NodeKey(key_from_sql(row.get(0)?)?),
        id: NodeId::from_stored(row.get(1)?),
        document_id: DocumentId::from(row.get::<_, String>(2)?),
        position: row.get(3)?,
        span: CharSpan {
            start: row.get(4)?,
            end: row.get(5)?,
        },
        text: row.get(6)?,
        metadata: metadata_from_row(row, 7)?,
    })
}

fn metadata_from_row(row: &Row<'_>, column: usize) -> Result<Metadata, Fault> {
    Ok(serde_json::from_str(
        row.get_ref(column)?.as_str().map_err(rusqlite::Error::from)?,
    )?)
}

/// SQLite counts in `i64`. Keys, sequences and offsets beyond it cannot exist; a caller's huge offset means "past the
/// end" and is clamped.
pub(super) fn key_to_sql(key: u64) -> i64 {
    i64::try_from(key).unwrap_or(i64::MAX)
}

pub(super) fn key_from_sql(key: i64) -> Result<u64, Fault> {
    u64::try_from(key).map_err(|_| Fault::TrustData(format!("{key} where a count was expected")))
}

pub(super) fn vector_to_blob(vector: &[f32]) -> Vec<u8> {
    vector.iter().flat_map(|component| component.to_le_bytes()).collect()
}

fn vector_from_blob(blob: &[u8]) -> Result<Vec<f32>, Fault> {
    let (components, rest) = blob.as_chunks::<4>();
    if !rest.is_empty() {
        return Err(Fault::TrustData(format!("a vector of {} bytes", blob.len())));
    }
    Ok(components.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
}
