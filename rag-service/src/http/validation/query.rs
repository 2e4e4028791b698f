//! Query parameters, checked with the same words as bodies.

use std::collections::HashMap;

use serde_json::Value;

use super::{Bounds, Location, ValidationErrors};

/// The parameters behind the `?`; the last one counts where a name is repeated.
pub(in crate::http) struct QueryParameters(HashMap<String, String>);

impl QueryParameters {
    pub(in crate::http) fn new(parameters: HashMap<String, String>) -> Self {
        Self(parameters)
    }

    pub(in crate::http) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub(in crate::http) fn integer(
        &self,
        errors: &mut ValidationErrors,
        name: &str,
        default: u64,
        bounds: Bounds,
    ) -> Option<u64> {
        match self.0.get(name) {
            None => Some(default),
            Some(text) => errors.integer(&Value::String(text.clone()), &Location::query().key(name), bounds),
        }
    }

    pub(in crate::http) fn boolean(&self, errors: &mut ValidationErrors, name: &str, default: bool) -> Option<bool> {
        let Some(text) = self.0.get(name) else {
            return Some(default);
        };
        match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" | "t" | "y" => Some(true),
            "false" | "0" | "no" | "off" | "f" | "n" => Some(false),
            _ => {
                let message = "Input should be a valid boolean, unable to interpret input";
                errors.push(
                    "bool_parsing",
                    &Location::query().key(name),
                    message,
                    &Value::String(text.clone()),
                );
                None
            }
        }
    }

    pub(in crate::http) fn choice<T: Copy>(
        &self,
        errors: &mut ValidationErrors,
        name: &str,
        default: T,
        choices: &[(&str, T)],
    ) -> Option<T> {
        match self.0.get(name) {
            None => Some(default),
            Some(text) => errors.choice(&Value::String(text.clone()), &Location::query().key(name), choices),
        }
    }
}
