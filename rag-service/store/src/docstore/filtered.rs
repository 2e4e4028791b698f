//! Metadata filters: the database narrows by equality, the filter itself decides.

use rag_core::filter::Filter;
use rag_core::metadata::Metadata;
use roaring::RoaringTreemap;
use rusqlite::Connection;

use super::read::key_from_sql;
use crate::error::Fault;

/// Numbers of the documents a filter lets through, in storage order.
pub(crate) struct MatchingDocuments(Vec<i64>);

impl MatchingDocuments {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The numbers as a JSON array, for `json_each`.
    pub(crate) fn json(&self) -> String {
        format!("[{}]", self.0.iter().map(i64::to_string).collect::<Vec<_>>().join(","))
    }

    /// The slice of the numbers that a page shows, as a JSON array.
    pub(crate) fn page_json(&self, offset: u64, limit: u64) -> String {
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Self(self.0.iter().skip(offset).take(limit).copied().collect()).json()
    }
}

/// Documents whose metadata match.
pub(crate) fn matching_documents(connection: &Connection, filter: &Filter) -> Result<MatchingDocuments, Fault> {
    let equalities = filter.required_equalities();
    let mut sql = "SELECT number, metadata FROM documents".to_owned();
    let mut values = Vec::with_capacity(equalities.len() * 2);
    for (place, (key, scalar)) in equalities.iter().enumerate() {
        sql.push_str(if place == 0 { " WHERE " } else { " AND " });
        sql.push_str("number IN (SELECT document FROM metadata_entries WHERE key = ? AND value = ?)");
        values.push((*key).to_owned());
        values.push(scalar.as_str().to_owned());
    }
    sql.push_str(" ORDER BY number");
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query(rusqlite::params_from_iter(values))?;
    let mut numbers = Vec::new();
    while let Some(row) = rows.next()? {
        let metadata: Metadata = serde_json::from_str(row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?)?;
        if filter.matches(&metadata) {
            numbers.push(row.get(0)?);
        }
    }
    Ok(MatchingDocuments(numbers))
}

/// Keys of the nodes that belong to matching documents.
pub(crate) fn matching_keys(connection: &Connection, filter: &Filter) -> Result<RoaringTreemap, Fault> {
    let documents = matching_documents(connection, filter)?;
    let mut statement =
        connection.prepare_cached("SELECT key FROM nodes WHERE document IN (SELECT value FROM json_each(?1))")?;
    let mut rows = statement.query([documents.json()])?;
    let mut keys = RoaringTreemap::new();
    while let Some(row) = rows.next()? {
        let key = key_from_sql(row.get(0)?)?;
        keys.insert(key);
    }
    Ok(keys)
}
