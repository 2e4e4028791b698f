//! How machines are asked of a Karpenter: which kind of NodeClass it has, and which NodeClasses there are.

use std::collections::HashSet;

use clap::Args;
use serde::Deserialize;
use serde_json::{Map, Value};

/// The NodeClasses of a Karpenter of any cloud.
#[derive(Clone, Debug, PartialEq, Args)]
pub struct KarpenterOptions {
    /// API group of the NodeClasses of the cloud's Karpenter, for example karpenter.k8s.aws or karpenter.k8s.gcp.
    #[arg(
        long = "karpenter-node-class-group",
        env = "KAITO_KARPENTER_NODE_CLASS_GROUP",
        value_name = "KAITO_KARPENTER_NODE_CLASS_GROUP",
        default_value = "karpenter.azure.com"
    )]
    pub node_class_group: String,
    /// Kind of the NodeClasses, for example EC2NodeClass.
    #[arg(
        long = "karpenter-node-class-kind",
        env = "KAITO_KARPENTER_NODE_CLASS_KIND",
        value_name = "KAITO_KARPENTER_NODE_CLASS_KIND",
        default_value = "AKSNodeClass"
    )]
    pub node_class_kind: String,
    /// Version of the NodeClasses' API.
    #[arg(
        long = "karpenter-node-class-version",
        env = "KAITO_KARPENTER_NODE_CLASS_VERSION",
        value_name = "KAITO_KARPENTER_NODE_CLASS_VERSION",
        default_value = "v1beta1"
    )]
    pub node_class_version: String,
    /// Plural of the NodeClasses in their API, for example ec2nodeclasses.
    #[arg(
        long = "karpenter-node-class-resource-name",
        env = "KAITO_KARPENTER_NODE_CLASS_RESOURCE_NAME",
        value_name = "KAITO_KARPENTER_NODE_CLASS_RESOURCE_NAME",
        default_value = "aksnodeclasses"
    )]
    pub node_class_resource_name: String,
    /// NodeClasses that Workspaces may use, as JSON: [{"name": "...", "default": true, "spec": {...}}]. One is the
    /// default. Those that do not exist are made. Needed for the provisioner karpenter.
    #[arg(
        long = "karpenter-node-classes",
        env = "KAITO_KARPENTER_NODE_CLASSES",
        value_name = "KAITO_KARPENTER_NODE_CLASSES",
        default_value = "",
        value_parser = parse
    )]
    pub node_classes: NodeClasses,
}

/// NodeClasses that Workspaces may use: none, or some with different names of which one is the default.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodeClasses(Vec<NodeClass>);

/// A NodeClass that Workspaces may use.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeClass {
    /// Its name.
    pub name: String,
    /// Whether it is taken for a Workspace that names none.
    #[serde(default)]
    pub default: bool,
    /// What it says, in the words of the cloud's Karpenter.
    #[serde(default)]
    pub spec: Map<String, Value>,
}

impl NodeClasses {
    /// All of them.
    pub fn all(&self) -> &[NodeClass] {
        &self.0
    }

    /// The one for Workspaces that name none; there is one unless there are no NodeClasses at all.
    pub fn default_name(&self) -> Option<&str> {
        self.0
            .iter()
            .find(|class| class.default)
            .map(|class| class.name.as_str())
    }
}

fn parse(text: &str) -> Result<NodeClasses, String> {
    if text.trim().is_empty() {
        return Ok(NodeClasses::default());
    }
    let all: Vec<NodeClass> = serde_json::from_str(text)
        .map_err(|error| format!("not a JSON array of {{\"name\", \"default\", \"spec\"}}: {error}"))?;
    let mut names = HashSet::new();
    for class in &all {
        if !is_subdomain(&class.name) {
            return Err(format!(
                "{:?} cannot be a NodeClass's name: use lower-case letters, digits, hyphens and dots",
                class.name
            ));
        }
        if !names.insert(&class.name) {
            return Err(format!(
                "{:?} is there twice: give each NodeClass its own name",
                class.name
            ));
        }
    }
    match all.iter().filter(|class| class.default).count() {
        1 => Ok(NodeClasses(all)),
        count => Err(format!(
            "{count} NodeClasses say \"default\": true: one of them must, and only one"
        )),
    }
}

/// Whether a name is a DNS subdomain, as the API server asks of names.
fn is_subdomain(name: &str) -> bool {
    let is_letter_or_digit = |character: char| character.is_ascii_lowercase() || character.is_ascii_digit();
    let is_label = |label: &str| {
        label.starts_with(is_letter_or_digit)
            && label.ends_with(is_letter_or_digit)
            && label
                .chars()
                .all(|character| character == '-' || is_letter_or_digit(character))
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_classes_have_names_of_their_own_and_one_default() {
        let classes =
            parse(r#"[{"name": "gpu", "default": true, "spec": {"imageFamily": "Ubuntu"}}, {"name": "b.c"}]"#);
        let classes = classes.unwrap();
        assert_eq!(classes.default_name(), Some("gpu"));
        assert_eq!(classes.all()[0].spec["imageFamily"], "Ubuntu");
        assert_eq!(parse("").unwrap(), NodeClasses::default());

        for (text, words) in [
            ("{}", "not a JSON array"),
            (r#"[{"name": "a", "default": true, "sepc": {}}]"#, "unknown field"),
            ("[]", "0 NodeClasses"),
            (r#"[{"name": "a"}]"#, "0 NodeClasses"),
            (
                r#"[{"name": "a", "default": true}, {"name": "b", "default": true}]"#,
                "2 NodeClasses",
            ),
            (r#"[{"name": "a", "default": true}, {"name": "a"}]"#, "there twice"),
            (r#"[{"name": "A", "default": true}]"#, "cannot be a NodeClass's name"),
            (r#"[{"name": "", "default": true}]"#, "cannot be a NodeClass's name"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
