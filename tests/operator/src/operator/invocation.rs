//! How a Deployment calls the controller.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::cluster::User;

/// The arguments, the environment and the user of the controller in a Deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// Arguments, without the program.
    pub arguments: Vec<String>,
    /// Environment variables.
    pub environment: BTreeMap<String, String>,
    /// Its ServiceAccount.
    pub user: User,
}

impl Invocation {
    /// Reads it off a Deployment.
    ///
    /// # Errors
    /// When something is missing, or is set in a way that only a kubelet can follow.
    pub fn of(deployment: &Value) -> Result<Self> {
        let text = |value: &Value, pointer: &str| {
            let found = value.pointer(pointer).and_then(Value::as_str);
            found
                .map(str::to_owned)
                .with_context(|| format!("{pointer} is missing in {value}"))
        };
        let namespace = text(deployment, "/metadata/namespace")?;
        let account = text(deployment, "/spec/template/spec/serviceAccountName")?;
        let container = deployment.pointer("/spec/template/spec/containers/0");
        let container = container.context("the Deployment has no container")?;
        let list = |key| container.get(key).and_then(Value::as_array).into_iter().flatten();
        let environment = list("env").map(|variable| {
            let name = text(variable, "/name")?;
            let field = variable
                .pointer("/valueFrom/fieldRef/fieldPath")
                .and_then(Value::as_str);
            let value = match (field, variable.get("valueFrom")) {
                (Some("metadata.namespace"), _) => namespace.clone(),
                (_, Some(source)) => bail!("{name} is from {source}, which a test cannot follow"),
                (_, None) => text(variable, "/value")?,
            };
            Ok((name, value))
        });
        Ok(Self {
            environment: environment.collect::<Result<_>>()?,
            arguments: list("args").filter_map(Value::as_str).map(str::to_owned).collect(),
            user: User::service_account(&namespace, &account),
        })
    }
}
