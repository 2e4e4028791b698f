//! CHECKLIST.md names tests that exist, and says why where it names none.

use std::path::Path;

use anyhow::{Context, Result};

const CHECKLIST: &str = include_str!("../CHECKLIST.md");

/// The rows, each as one line.
fn rows() -> Vec<String> {
    let mut rows: Vec<String> = Vec::new();
    for line in CHECKLIST.lines() {
        if let Some(row) = line.strip_prefix("* ") {
            rows.push(row.to_owned());
        } else if let (Some(rest), Some(row)) = (line.strip_prefix("  "), rows.last_mut()) {
            row.push(' ');
            row.push_str(rest);
        }
    }
    rows
}

/// What stands between backticks and names a test or a case: its file and its name.
fn references(row: &str) -> impl Iterator<Item = (&str, &str)> {
    row.split('`')
        .skip(1)
        .step_by(2)
        .filter_map(|text| text.split_once("::"))
}

fn exists(file: &str, name: &str) -> Result<bool> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(file);
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {file:?}"))?;
    let wanted = match path.extension().and_then(|extension| extension.to_str()) {
        Some("rs") => format!("fn {name}("),
        _ => format!("- rule: {name}\n"),
    };
    Ok(text.contains(&wanted))
}

#[test]
fn every_row_names_tests_that_exist_or_says_why_there_is_none() -> Result<()> {
    let rows = rows();
    assert!(rows.len() > 50, "only {} rows were found", rows.len());
    for row in rows {
        let names_one = references(&row).next().is_some();
        assert!(
            names_one || row.contains("Not tested:"),
            "neither a test nor a reason: {row}"
        );
        for (file, name) in references(&row) {
            assert!(exists(file, name)?, "there is no {name:?} in {file:?}");
        }
    }
    Ok(())
}
