//! Changes to the documents. Each function runs inside the caller's transaction and reports what the derived indexes
//! have to do.

use rag_core::document::{Document, DocumentId};
use rag_core::filter::ScalarKey;
use rag_core::node::TextKind;
use rusqlite::{Connection, OptionalExtension, params};

use super::read::{self, key_from_sql};
use crate::error::Fault;
use crate::store::{IndexedDocument, InsertOutcome, UpdateOutcome};

/// What one transaction did to the nodes, for the derived indexes to follow.
#[derive(Default)]
pub(crate) struct Changes {
    /// Nodes added: key, vector, analysed text.
    pub(crate) added: Vec<AddedNode>,
    /// Keys of the nodes that are gone.
    pub(crate) removed: Vec<u64>,
}

/// A node that was added.
pub(crate) struct AddedNode {
    pub(crate) key: u64,
    pub(crate) vector: Vec<f32>,
    pub(crate) text: String,
    pub(crate) kind: TextKind,
}

impl Changes {
    /// Appends what a later command of the same transaction did; what it took back vanishes.
    pub(crate) fn absorb(&mut self, later: Self) {
        self.added.retain(|node| !later.removed.contains(&node.key));
        self.added.extend(later.added);
        self.removed.extend(later.removed);
    }
}

/// Stores a document unless its text is there already.
pub(crate) fn insert(
    connection: &Connection,
    entry: IndexedDocument,
    changes: &mut Changes,
) -> Result<InsertOutcome, Fault> {
    if let Some(existing) = read::holder_of_text(connection, &entry.document.digest().text_id)? {
        return Ok(InsertOutcome::Duplicate(existing));
    }
    // A document of this id whose text differs was moved away from it by an update; the id's own text takes it back.
    remove(connection, &entry.document.id, changes)?;
    store(connection, entry, changes)?;
    Ok(InsertOutcome::Inserted)
}

/// Replaces the document of the same id when its content differs.
pub(crate) fn update(
    connection: &Connection,
    entry: IndexedDocument,
    changes: &mut Changes,
) -> Result<UpdateOutcome, Fault> {
    let outcome = read::update_outcome(connection, entry.document.digest())?;
    if outcome == UpdateOutcome::Updated {
        remove(connection, &entry.document.id, changes)?;
        store(connection, entry, changes)?;
    }
    Ok(outcome)
}

/// Deletes a document; whether it was there.
pub(crate) fn delete(connection: &Connection, id: &DocumentId, changes: &mut Changes) -> Result<bool, Fault> {
    remove(connection, id, changes)
}

/// Counts the transaction; returns its number.
pub(crate) fn next_sequence(connection: &Connection) -> Result<u64, Fault> {
    let sequence: i64 = connection.query_row(
        "UPDATE state SET sequence = sequence + 1 RETURNING sequence",
        [],
        |row| row.get(0),
    )?;
    key_from_sql(sequence)
}

fn remove(connection: &Connection, id: &DocumentId, changes: &mut Changes) -> Result<bool, Fault> {
    let number: Option<i64> = connection
        .prepare_cached("SELECT number FROM documents WHERE id = ?1")?
        .query_row([id.as_str()], |row| row.get(0))
        .optional()?;
    let Some(number) = number else { return Ok(false) };
    let mut statement = connection.prepare_cached("SELECT key FROM nodes WHERE document = ?1")?;
    let keys = statement
        .query_map([number], |row| row.get::<_, i64>(0))?
        .collect::<Result<Vec<_>, _>>()?;
    for key in keys {
        let key = key_from_sql(key)?;
        changes.added.retain(|node| node.key != key);
        changes.removed.push(key);
    }
    connection
        .prepare_cached("DELETE FROM documents WHERE number = ?1")?
        .execute([number])?;
    Ok(true)
}

fn store(connection: &Connection, entry: IndexedDocument, changes: &mut Changes) -> Result<(), Fault> {
    let IndexedDocument {
        document,
        search_header,
        nodes,
    } = entry;
    connection
        .prepare_cached(
            "INSERT INTO documents (id, text_id, content_hash, search_header, metadata, text)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            document.id.as_str(),
            document.digest().text_id.as_str(),
            document.digest().content_hash,
            search_header,
            document.metadata.to_json(),
            document.text,
        ])?;
    let number = connection.last_insert_rowid();
    store_metadata_entries(connection, number, &document)?;
    let mut insert_node = connection.prepare_cached(
        "INSERT INTO nodes (id, document, position, char_start, char_end, is_code, text)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    let mut insert_embedding = connection.prepare_cached("INSERT INTO embeddings (key, vector) VALUES (?1, ?2)")?;
    for entry in nodes {
        let node = entry.node;
        insert_node.execute(params![
            node.id.as_str(),
            number,
            node.position,
            node.span.start,
            node.span.end,
            node.kind == TextKind::Code,
            node.text,
        ])?;
        let key = connection.last_insert_rowid();
        insert_embedding.execute(params![key, read::vector_to_blob(entry.embedding.as_slice())])?;
        changes.added.push(AddedNode {
            key: key_from_sql(key)?,
            vector: entry.embedding.as_slice().to_vec(),
            text: format!("{search_header}{}", node.text),
            kind: node.kind,
        });
    }
    Ok(())
}

fn store_metadata_entries(connection: &Connection, number: i64, document: &Document) -> Result<(), Fault> {
    let mut statement =
        connection.prepare_cached("INSERT INTO metadata_entries (key, value, document) VALUES (?1, ?2, ?3)")?;
    for (key, value) in document.metadata.iter() {
        if let Some(scalar) = ScalarKey::of(value) {
            statement.execute(params![key, scalar.as_str(), number])?;
        }
    }
    Ok(())
}
