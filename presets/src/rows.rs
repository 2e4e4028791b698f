//! Reading files that are lists of rows, so that whatever is wrong is said with the file and the row.

use std::collections::HashSet;

use serde::de::DeserializeOwned;
use serde_yaml_ng::Value;

/// Why a file of rows was refused.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// Not YAML, or not of the file's shape.
    #[error("parse {file}")]
    ParseFile {
        /// Below `presets/data`.
        file: &'static str,
        /// Where and why.
        #[source]
        source: serde_yaml_ng::Error,
    },
    /// A row of another shape, such as one with an unknown field.
    #[error("parse row {row:?} of {file}")]
    ParseRow {
        /// Below `presets/data`.
        file: &'static str,
        /// The row's name.
        row: String,
        /// Which field.
        #[source]
        source: serde_yaml_ng::Error,
    },
    /// A row that cannot be true, or that nothing could use.
    #[error("row {row:?} of {file}: {reason}")]
    InvalidRow {
        /// Below `presets/data`.
        file: &'static str,
        /// The row's name.
        row: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A row that does not say its name.
    #[error("row {number} of {file} has no {key}")]
    NamelessRow {
        /// Below `presets/data`.
        file: &'static str,
        /// Counted from 1.
        number: usize,
        /// The field that is missing.
        key: &'static str,
    },
    /// Two rows of one name, in whatever case.
    #[error("{name:?} is in {file} twice")]
    RepeatedName {
        /// Below `presets/data`.
        file: &'static str,
        /// The second one.
        name: String,
    },
}

/// A file below `presets/data`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DataFile {
    pub(crate) name: &'static str,
    /// The field that names a row.
    pub(crate) key: &'static str,
}

impl DataFile {
    /// Reads a file that is nothing but a list of rows: names, and what the rows say besides.
    pub(crate) fn parse<Row: DeserializeOwned>(self, yaml: &str) -> Result<Vec<(String, Row)>, DataError> {
        self.rows(self.document(yaml)?)
    }

    /// Reads the whole file as one value.
    pub(crate) fn document<Document: DeserializeOwned>(self, yaml: &str) -> Result<Document, DataError> {
        serde_yaml_ng::from_str(yaml).map_err(|source| DataError::ParseFile {
            file: self.name,
            source,
        })
    }

    /// Reads one of several lists of a file.
    pub(crate) fn rows<Row: DeserializeOwned>(self, values: Vec<Value>) -> Result<Vec<(String, Row)>, DataError> {
        let mut names = HashSet::new();
        let mut rows = Vec::new();
        for (index, value) in values.into_iter().enumerate() {
            let (name, row) = self.row(index + 1, value)?;
            if !names.insert(name.to_lowercase()) {
                return Err(self.repeated(name));
            }
            rows.push((name, row));
        }
        Ok(rows)
    }

    pub(crate) fn invalid(self, row: impl Into<String>, reason: impl Into<String>) -> DataError {
        DataError::InvalidRow {
            file: self.name,
            row: row.into(),
            reason: reason.into(),
        }
    }

    pub(crate) fn repeated(self, name: String) -> DataError {
        DataError::RepeatedName { file: self.name, name }
    }

    fn row<Row: DeserializeOwned>(self, number: usize, mut value: Value) -> Result<(String, Row), DataError> {
        let name = value.as_mapping_mut().and_then(|fields| fields.remove(self.key));
        let Some(Value::String(name)) = name else {
            return Err(DataError::NamelessRow {
                file: self.name,
                number,
                key: self.key,
            });
        };
        match serde_yaml_ng::from_value(value) {
            Ok(row) => Ok((name, row)),
            Err(source) => Err(DataError::ParseRow {
                file: self.name,
                row: name,
                source,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: DataFile = DataFile {
        name: "things.yaml",
        key: "name",
    };

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Thing {
        #[expect(dead_code, reason = "only whether it is read matters")]
        size: u32,
    }

    fn refused(yaml: &str) -> String {
        FILE.parse::<Thing>(yaml).expect_err(yaml).to_string()
    }

    #[test]
    fn errors_name_the_file_and_the_row() {
        assert_eq!(refused("{"), "parse things.yaml");
        assert_eq!(
            refused("- {name: a, size: 1, colour: red}"),
            "parse row \"a\" of things.yaml"
        );
        assert_eq!(refused("- {name: a}"), "parse row \"a\" of things.yaml");
        assert_eq!(
            refused("- {name: a, size: 1}\n- {size: 1}"),
            "row 2 of things.yaml has no name"
        );
        assert_eq!(
            refused("- {name: a, size: 1}\n- {name: A, size: 2}"),
            "\"A\" is in things.yaml twice"
        );
    }
}
