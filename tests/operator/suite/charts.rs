//! The Helm charts, with the real helm.

mod files;
mod invocation;
mod release;
mod rendering;
mod rights;

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use kaito_operator_tests::operator::Chart;
use serde_json::Value;

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// The file of values that changes much of a chart.
fn other_values(chart: Chart) -> String {
    let path = format!("tests/operator/suite/charts/{}-values.yaml", chart.name());
    project(&path).display().to_string()
}

/// The only object of a kind.
fn only<'a>(objects: &'a [Value], kind: &str) -> Result<&'a Value> {
    let found: Vec<_> = objects.iter().filter(|object| object["kind"] == kind).collect();
    let [one] = *found else {
        bail!("there are {} objects of the kind {kind}", found.len());
    };
    Ok(one)
}
