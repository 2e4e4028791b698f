//! Users of a cluster and their kubeconfigs.

use std::path::PathBuf;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::authority::Identity;
use super::{Api, Cluster};

/// Longer than any test; the API server's limit is far above.
const TOKEN_SECONDS: u32 = 24 * 60 * 60;

/// Who a program is to the API server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum User {
    /// May do everything.
    Admin,
    /// A ServiceAccount that exists: may do what its roles say.
    ServiceAccount {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// A person with a certificate.
    Person {
        /// Name.
        name: String,
        /// The one group beside `system:authenticated`.
        group: String,
    },
}

/// What a user shows to the API server.
pub(crate) enum Credentials {
    Certificate(Identity),
    Token(String),
}

impl User {
    /// A ServiceAccount.
    pub fn service_account(namespace: &str, name: &str) -> Self {
        Self::ServiceAccount {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }

    /// A person.
    pub fn person(name: &str, group: &str) -> Self {
        Self::Person {
            name: name.to_owned(),
            group: group.to_owned(),
        }
    }

    pub(super) async fn credentials(&self, cluster: &Cluster) -> Result<Credentials> {
        Ok(match self {
            Self::Admin => Credentials::Certificate(cluster.admin.clone()),
            Self::Person { name, group } => Credentials::Certificate(cluster.authority.client(name, group)?),
            Self::ServiceAccount { namespace, name } => {
                Credentials::Token(service_account_token(&cluster.admin()?, namespace, name).await?)
            }
        })
    }

    pub(super) async fn write_kubeconfig(&self, cluster: &Cluster) -> Result<PathBuf> {
        let credentials = self.credentials(cluster).await?;
        let content = kubeconfig(&cluster.url(), cluster.authority.certificate(), &credentials);
        let path = cluster.path(&self.file_name());
        std::fs::write(&path, content)?;
        Ok(path)
    }

    /// Differs from user to user.
    pub(crate) fn file_name(&self) -> String {
        let name = match self {
            Self::Admin => "admin".to_owned(),
            Self::Person { name, group } => format!("person-{name}-{group}"),
            Self::ServiceAccount { namespace, name } => format!("service-account-{namespace}-{name}"),
        };
        format!("{}.kubeconfig", name.replace(['/', ':'], "-"))
    }
}

/// A kubeconfig for a server whose certificate an authority, given as PEM, has signed.
pub(crate) fn kubeconfig(server: &str, authority: &str, credentials: &Credentials) -> String {
    let user = match credentials {
        Credentials::Token(token) => json!({"token": token}),
        Credentials::Certificate(identity) => json!({
            "client-certificate-data": STANDARD.encode(&identity.certificate),
            "client-key-data": STANDARD.encode(&identity.key),
        }),
    };
    let authority = STANDARD.encode(authority);
    // JSON is YAML.
    let content = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": {"server": server, "certificate-authority-data": authority}}],
        "users": [{"name": "user", "user": user}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "user", "namespace": "default"}}],
        "current-context": "test",
    });
    content.to_string()
}

/// A new token of a ServiceAccount.
pub(crate) async fn service_account_token(admin: &Api, namespace: &str, name: &str) -> Result<String> {
    let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token");
    let request = json!({"spec": {"expirationSeconds": TOKEN_SECONDS}});
    let answer = admin.create(&path, &request).await?;
    let token = answer.pointer("/status/token").and_then(Value::as_str);
    Ok(token.context("the API server's answer has no token")?.to_owned())
}
