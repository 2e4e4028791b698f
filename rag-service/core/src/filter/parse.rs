//! Reading a filter from JSON, with messages a user can act on.

use serde_json::{Map, Value};

use super::{Condition, Order, Test};

/// How deep `$and`, `$or`, `$not` and the lists and objects compared with may nest.
pub const MAX_DEPTH: usize = 16;
/// How many tests of a key a filter may hold.
pub const MAX_CONDITIONS: usize = 256;
/// How many values `$in` and `$nin` take.
pub const MAX_LIST_VALUES: usize = 1024;

/// Why an object is not a filter. Always the user's fault.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ParseFilter {
    /// A key that starts with `$` where only filters combine.
    #[error(
        "operator {operator:?} cannot stand here; $and, $or and $not combine filters, every other operator belongs \
         under a metadata key, as in {{\"year\": {{\"$gte\": 2020}}}}"
    )]
    MisplaceOperator {
        /// The operator as it was written.
        operator: String,
    },
    /// An operator that a key's test does not have.
    #[error(
        "unknown operator {operator:?} under key {key:?}; allowed are $eq, $ne, $in, $nin, $gt, $gte, $lt, $lte, \
         $exists and $not"
    )]
    UnknownOperator {
        /// The metadata key.
        key: String,
        /// The operator as it was written.
        operator: String,
    },
    /// An object with operators and plain keys.
    #[error("the value of key {key:?} mixes operators and plain keys: {operator:?} stands beside {plain:?}")]
    MixOperators {
        /// The metadata key.
        key: String,
        /// One of the operators.
        operator: String,
        /// One of the plain keys.
        plain: String,
    },
    /// An operand of the wrong kind.
    #[error("operator {operator:?}{} takes {expected}", under(.key))]
    MistypeOperand {
        /// The metadata key, when the operator stands under one.
        key: Option<String>,
        /// The operator.
        operator: &'static str,
        /// What it takes.
        expected: &'static str,
    },
    /// Nesting beyond [`MAX_DEPTH`].
    #[error("the filter nests more than {MAX_DEPTH} deep")]
    NestTooDeep,
    /// More than [`MAX_CONDITIONS`] tests.
    #[error("the filter has more than {MAX_CONDITIONS} conditions")]
    ListTooManyConditions,
    /// More than [`MAX_LIST_VALUES`] values.
    #[error("operator {operator:?} under key {key:?} lists more than {MAX_LIST_VALUES} values")]
    ListTooManyValues {
        /// The metadata key.
        key: String,
        /// The operator.
        operator: &'static str,
    },
}

fn under(key: &Option<String>) -> String {
    key.as_ref()
        .map(|key| format!(" under key {key:?}"))
        .unwrap_or_default()
}

/// The conjuncts of a filter object.
pub(super) fn conditions(filter: &Map<String, Value>) -> Result<Vec<Condition>, ParseFilter> {
    Parser {
        conditions_left: MAX_CONDITIONS,
    }
    .conditions(filter, MAX_DEPTH)
}

struct Parser {
    conditions_left: usize,
}

impl Parser {
    fn conditions(&mut self, filter: &Map<String, Value>, depth_left: usize) -> Result<Vec<Condition>, ParseFilter> {
        filter
            .iter()
            .map(|(key, value)| self.condition(key, value, depth_left))
            .collect()
    }

    fn condition(&mut self, key: &str, value: &Value, depth_left: usize) -> Result<Condition, ParseFilter> {
        match key {
            "$and" => Ok(Condition::All(self.alternatives("$and", value, depth_left)?)),
            "$or" => Ok(Condition::Any(self.alternatives("$or", value, depth_left)?)),
            "$not" => {
                let Value::Object(filter) = value else {
                    return Err(ParseFilter::MistypeOperand {
                        key: None,
                        operator: "$not",
                        expected: "a filter object",
                    });
                };
                let conditions = self.conditions(filter, deeper(depth_left)?)?;
                Ok(Condition::Not(Box::new(Condition::All(conditions))))
            }
            operator if operator.starts_with('$') => Err(ParseFilter::MisplaceOperator {
                operator: operator.to_owned(),
            }),
            _ => Ok(Condition::Key(key.to_owned(), self.key_test(key, value, depth_left)?)),
        }
    }

    /// The filters in the list of `$and` or `$or`.
    fn alternatives(
        &mut self,
        operator: &'static str,
        value: &Value,
        depth_left: usize,
    ) -> Result<Vec<Condition>, ParseFilter> {
        let mistyped = ParseFilter::MistypeOperand {
            key: None,
            operator,
            expected: "a list of at least one filter object",
        };
        let filters = value.as_array().filter(|filters| !filters.is_empty());
        let Some(filters) = filters else { return Err(mistyped) };
        let Some(filters) = filters.iter().map(Value::as_object).collect::<Option<Vec<_>>>() else {
            return Err(mistyped);
        };
        let depth_left = deeper(depth_left)?;
        filters
            .into_iter()
            .map(|filter| Ok(Condition::All(self.conditions(filter, depth_left)?)))
            .collect()
    }

    /// What stands behind a metadata key: operators, or a value to be equal to.
    fn key_test(&mut self, key: &str, value: &Value, depth_left: usize) -> Result<Test, ParseFilter> {
        let Some(operators) = value.as_object().filter(|object| !object.is_empty()) else {
            return self.equality(value, depth_left);
        };
        let operator = operators.keys().find(|name| name.starts_with('$'));
        let plain = operators.keys().find(|name| !name.starts_with('$'));
        match (operator, plain) {
            (Some(operator), Some(plain)) => Err(ParseFilter::MixOperators {
                key: key.to_owned(),
                operator: operator.clone(),
                plain: plain.clone(),
            }),
            (Some(_), None) => self.operators(key, operators, depth_left),
            (None, _) => self.equality(value, depth_left),
        }
    }

    fn operators(&mut self, key: &str, operators: &Map<String, Value>, depth_left: usize) -> Result<Test, ParseFilter> {
        let depth_left = deeper(depth_left)?;
        let tests = operators
            .iter()
            .map(|(operator, operand)| self.operator(key, operator, operand, depth_left))
            .collect::<Result<_, _>>()?;
        Ok(Test::All(tests))
    }

    fn operator(&mut self, key: &str, operator: &str, operand: &Value, depth_left: usize) -> Result<Test, ParseFilter> {
        match operator {
            "$eq" => self.equality(operand, depth_left),
            "$ne" => Ok(not(self.equality(operand, depth_left)?)),
            "$in" => self.membership(key, "$in", operand, depth_left),
            "$nin" => Ok(not(self.membership(key, "$nin", operand, depth_left)?)),
            "$gt" => self.order(key, "$gt", Order::Greater, operand),
            "$gte" => self.order(key, "$gte", Order::GreaterOrEqual, operand),
            "$lt" => self.order(key, "$lt", Order::Less, operand),
            "$lte" => self.order(key, "$lte", Order::LessOrEqual, operand),
            "$exists" => {
                self.count_condition()?;
                match operand {
                    Value::Bool(true) => Ok(Test::Exists),
                    Value::Bool(false) => Ok(not(Test::Exists)),
                    _ => Err(mistyped(key, "$exists", "true or false")),
                }
            }
            "$not" => match operand {
                Value::Object(operators)
                    if !operators.is_empty() && operators.keys().all(|name| name.starts_with('$')) =>
                {
                    Ok(not(self.operators(key, operators, depth_left)?))
                }
                _ => Err(mistyped(
                    key,
                    "$not",
                    "an object of operators, as in {\"$not\": {\"$gt\": 3}}",
                )),
            },
            _ => Err(ParseFilter::UnknownOperator {
                key: key.to_owned(),
                operator: operator.to_owned(),
            }),
        }
    }

    fn equality(&mut self, wanted: &Value, depth_left: usize) -> Result<Test, ParseFilter> {
        self.count_condition()?;
        check_depth(wanted, depth_left)?;
        Ok(Test::Equal(wanted.clone()))
    }

    fn membership(
        &mut self,
        key: &str,
        operator: &'static str,
        operand: &Value,
        depth_left: usize,
    ) -> Result<Test, ParseFilter> {
        self.count_condition()?;
        let Value::Array(wanted) = operand else {
            return Err(mistyped(key, operator, "a list of values"));
        };
        if wanted.len() > MAX_LIST_VALUES {
            return Err(ParseFilter::ListTooManyValues {
                key: key.to_owned(),
                operator,
            });
        }
        check_depth(operand, depth_left)?;
        Ok(Test::In(wanted.clone()))
    }

    fn order(&mut self, key: &str, operator: &'static str, order: Order, operand: &Value) -> Result<Test, ParseFilter> {
        self.count_condition()?;
        match operand {
            Value::Number(_) | Value::String(_) => Ok(Test::Order(order, operand.clone())),
            _ => Err(mistyped(key, operator, "a number or a string")),
        }
    }

    fn count_condition(&mut self) -> Result<(), ParseFilter> {
        self.conditions_left = self
            .conditions_left
            .checked_sub(1)
            .ok_or(ParseFilter::ListTooManyConditions)?;
        Ok(())
    }
}

fn not(test: Test) -> Test {
    Test::Not(Box::new(test))
}

fn mistyped(key: &str, operator: &'static str, expected: &'static str) -> ParseFilter {
    ParseFilter::MistypeOperand {
        key: Some(key.to_owned()),
        operator,
        expected,
    }
}

fn deeper(depth_left: usize) -> Result<usize, ParseFilter> {
    depth_left.checked_sub(1).ok_or(ParseFilter::NestTooDeep)
}

fn check_depth(value: &Value, depth_left: usize) -> Result<(), ParseFilter> {
    match value {
        Value::Array(items) => {
            let depth_left = deeper(depth_left)?;
            items.iter().try_for_each(|item| check_depth(item, depth_left))
        }
        Value::Object(map) => {
            let depth_left = deeper(depth_left)?;
            map.values().try_for_each(|value| check_depth(value, depth_left))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}
