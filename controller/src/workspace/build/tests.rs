//! What is built, whole, and the rules behind it one by one.

mod manifests;
mod rules;

use serde_json::Value;

use super::*;
use crate::settings::Settings;
use crate::workspace::references::References;
use crate::workspace::testing::{references, workspace};
use crate::workspace::validate::validate;

/// What is built for a Workspace with these fields, when what it refers to was changed by `adjust`.
fn built_with(fields: &Value, settings: &Settings, adjust: impl FnOnce(&mut References)) -> Resources {
    let workspace = workspace(fields);
    let mut references = references(&workspace, settings);
    adjust(&mut references);
    build(&validate(&workspace, &references, 1, settings).unwrap())
}

fn built(fields: &Value, settings: &Settings) -> Resources {
    built_with(fields, settings, |_| {})
}
