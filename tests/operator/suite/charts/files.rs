//! Files that a chart has to hold a copy of, since helm reads nothing outside of it.

use kaito_operator_tests::operator::Chart;

use super::project;

#[test]
fn the_default_guardrails_policy_is_that_of_the_presets() {
    let [source, copy] = [
        "presets/data/guardrails/default_policy.yaml",
        "charts/ragengine/files/guardrails.yaml",
    ];
    let read = |path| std::fs::read_to_string(project(path)).unwrap();
    assert!(read(source) == read(copy), "run `cp {source} {copy}`");
}

#[test]
fn versions_are_that_of_the_programs() {
    for chart in Chart::ALL {
        let metadata = std::fs::read_to_string(chart.directory().join("Chart.yaml")).unwrap();
        let metadata: serde_json::Value = serde_yaml_ng::from_str(&metadata).unwrap();
        assert_eq!(metadata["name"], chart.name());
        assert_eq!(metadata["version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(metadata["appVersion"], env!("CARGO_PKG_VERSION"));
    }
}

#[test]
fn every_value_is_explained() {
    for chart in Chart::ALL {
        let read = |file| std::fs::read_to_string(chart.directory().join(file)).unwrap();
        let values: serde_json::Value = serde_yaml_ng::from_str(&read("values.yaml")).unwrap();
        let readme = read("README.md");
        for name in values.as_object().unwrap().keys() {
            assert!(
                readme.contains(&format!("`{name}")),
                "{name} is not in the README of {chart:?}"
            );
        }
    }
}
