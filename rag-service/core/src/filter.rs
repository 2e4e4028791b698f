//! Metadata filters: which documents a search or a listing is restricted to.
//!
//! `{"type": "text", "year": {"$gte": 2020, "$lt": 2024}}` is a conjunction over top-level metadata keys. A plain value
//! is compared for equality; an object whose keys all start with `$` holds operators. `$and`, `$or` and `$not` combine
//! whole filters. Deliberately absent: dotted paths into nested metadata, patterns and text search.

mod parse;
mod value;

#[cfg(test)]
mod tests;

use std::cmp::Ordering;

use serde_json::{Map, Value};

use crate::metadata::Metadata;
pub use parse::{MAX_CONDITIONS, MAX_DEPTH, MAX_LIST_VALUES, ParseFilter};
pub use value::ScalarKey;
use value::{equal, ordering};

/// A parsed filter. It holds for a metadata object or it does not; there is no third outcome.
#[derive(Clone, Debug, PartialEq)]
pub struct Filter {
    conditions: Vec<Condition>,
}

/// A statement about a whole metadata object.
#[derive(Clone, Debug, PartialEq)]
enum Condition {
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
    Key(String, Test),
}

/// A statement about the value under one key, which may be absent.
#[derive(Clone, Debug, PartialEq)]
enum Test {
    All(Vec<Self>),
    Not(Box<Self>),
    Equal(Value),
    In(Vec<Value>),
    Order(Order, Value),
    Exists,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Filter {
    /// Reads a filter from the JSON object of a request; `{}` is the filter that matches everything.
    ///
    /// # Errors
    /// When an operator is unknown, misplaced or has an unfit operand, or the filter is too deep or too large.
    pub fn parse(filter: &Map<String, Value>) -> Result<Self, ParseFilter> {
        Ok(Self {
            conditions: parse::conditions(filter)?,
        })
    }

    /// Whether the filter holds for this metadata.
    pub fn matches(&self, metadata: &Metadata) -> bool {
        self.conditions.iter().all(|condition| condition.holds(metadata))
    }

    /// Whether nothing is asked for, so that everything matches.
    pub fn is_empty(&self) -> bool {
        self.conditions.is_empty()
    }

    /// Equalities `key == scalar` that every matching metadata satisfies. A database can narrow its candidates by them
    /// before [`Self::matches`] decides; they need not be all that the filter demands.
    pub fn required_equalities(&self) -> Vec<(&str, ScalarKey)> {
        let mut equalities = Vec::new();
        self.conditions
            .iter()
            .for_each(|condition| condition.push_equalities(&mut equalities));
        equalities
    }
}

impl Condition {
    fn holds(&self, metadata: &Metadata) -> bool {
        match self {
            Self::All(conditions) => conditions.iter().all(|condition| condition.holds(metadata)),
            Self::Any(conditions) => conditions.iter().any(|condition| condition.holds(metadata)),
            Self::Not(condition) => !condition.holds(metadata),
            Self::Key(key, test) => test.holds(metadata.get(key)),
        }
    }

    fn push_equalities<'filter>(&'filter self, equalities: &mut Vec<(&'filter str, ScalarKey)>) {
        match self {
            Self::All(conditions) => {
                conditions
                    .iter()
                    .for_each(|condition| condition.push_equalities(equalities));
            }
            Self::Key(key, test) => test.push_equalities(key, equalities),
            Self::Any(_) | Self::Not(_) => {}
        }
    }
}

impl Test {
    fn holds(&self, actual: Option<&Value>) -> bool {
        match self {
            Self::All(tests) => tests.iter().all(|test| test.holds(actual)),
            Self::Not(test) => !test.holds(actual),
            Self::Equal(wanted) => equals(actual, wanted),
            Self::In(wanted) => wanted.iter().any(|wanted| equals(actual, wanted)),
            Self::Order(order, bound) => actual
                .and_then(|actual| ordering(actual, bound))
                .is_some_and(|found| order.admits(found)),
            Self::Exists => actual.is_some(),
        }
    }

    fn push_equalities<'filter>(&'filter self, key: &'filter str, equalities: &mut Vec<(&'filter str, ScalarKey)>) {
        match self {
            Self::All(tests) => tests.iter().for_each(|test| test.push_equalities(key, equalities)),
            Self::Equal(wanted) => equalities.extend(ScalarKey::of(wanted).map(|wanted| (key, wanted))),
            Self::In(wanted) => {
                if let [wanted] = wanted.as_slice() {
                    equalities.extend(ScalarKey::of(wanted).map(|wanted| (key, wanted)));
                }
            }
            Self::Not(_) | Self::Order(..) | Self::Exists => {}
        }
    }
}

impl Order {
    fn admits(self, found: Ordering) -> bool {
        match self {
            Self::Less => found.is_lt(),
            Self::LessOrEqual => found.is_le(),
            Self::Greater => found.is_gt(),
            Self::GreaterOrEqual => found.is_ge(),
        }
    }
}

/// An absent key is equal to null, as in KAITO.
fn equals(actual: Option<&Value>, wanted: &Value) -> bool {
    equal(actual.unwrap_or(&Value::Null), wanted)
}
