//! The API server alone.

use anyhow::Result;
use kaito_operator_tests::cluster::{User, cluster_or_skip};
use serde_json::{Value, json};

use super::{CONFIG_MAPS, config_map, names};

const CRDS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const PROBES: &str = "/apis/test.kaito.sh/v1/namespaces/default/probes";

/// A CRD whose `spec.replicas` has a CEL rule.
fn crd_of_probes() -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "probes.test.kaito.sh"},
        "spec": {
            "group": "test.kaito.sh",
            "scope": "Namespaced",
            "names": {"plural": "probes", "singular": "probe", "kind": "Probe"},
            "versions": [{
                "name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": {
                    "type": "object",
                    "properties": {"replicas": {"type": "integer", "default": 1}},
                    "x-kubernetes-validations": [{
                        "rule": "self.replicas <= 1",
                        "message": "more than one replica needs an external vector database",
                    }],
                }}}},
            }],
        },
    })
}

fn probe(name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "test.kaito.sh/v1", "kind": "Probe", "metadata": {"name": name}, "spec": spec})
}

#[tokio::test]
async fn a_rule_in_cel_rejects_with_its_message() -> Result<()> {
    let Some(cluster) = cluster_or_skip().await? else {
        return Ok(());
    };
    let admin = cluster.admin()?;
    admin.create(CRDS, &crd_of_probes()).await?;
    admin.wait_for(PROBES, |_| true).await?;
    let made = admin.create(PROBES, &probe("one", &json!({}))).await?;
    assert_eq!(made["spec"]["replicas"], 1, "the default is filled in");
    let refused = admin.create(PROBES, &probe("two", &json!({"replicas": 2}))).await;
    let message = refused.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(
        message.contains("more than one replica needs an external vector database"),
        "{message:?}"
    );
    Ok(())
}

#[tokio::test]
async fn two_managers_of_one_field_conflict() -> Result<()> {
    let Some(cluster) = cluster_or_skip().await? else {
        return Ok(());
    };
    let admin = cluster.admin()?;
    let path = format!("{CONFIG_MAPS}/shared");
    let mine = config_map("shared", &json!({"ours": "1", "mine": "1"}));
    admin.apply(&path, "me", &mine).await?.object()?;
    let yours = config_map("shared", &json!({"ours": "2", "yours": "2"}));
    let refused = admin.apply(&path, "you", &yours).await?;
    assert_eq!(refused.status, 409);
    assert!(
        refused.message().contains("conflict with \"me\""),
        "{:?}",
        refused.message()
    );
    let yours = config_map("shared", &json!({"yours": "2"}));
    let both = admin.apply(&path, "you", &yours).await?.object()?;
    assert_eq!(both["data"], json!({"mine": "1", "ours": "1", "yours": "2"}));
    // What a manager no longer applies goes away.
    let left = admin
        .apply(&path, "me", &config_map("shared", &json!({"ours": "1"})))
        .await?
        .object()?;
    assert_eq!(left["data"], json!({"ours": "1", "yours": "2"}));
    Ok(())
}

#[tokio::test]
async fn a_service_account_may_do_what_its_role_says_and_its_requests_are_counted() -> Result<()> {
    let Some(cluster) = cluster_or_skip().await? else {
        return Ok(());
    };
    let admin = cluster.admin()?;
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "reader"}});
    admin
        .create("/api/v1/namespaces/default/serviceaccounts", &account)
        .await?;
    let rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/default";
    let role = json!({
        "metadata": {"name": "reader"},
        "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"]}],
    });
    admin.create(&format!("{rbac}/roles"), &role).await?;
    let binding = json!({
        "metadata": {"name": "reader"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"},
        "subjects": [{"kind": "ServiceAccount", "namespace": "default", "name": "reader"}],
    });
    admin.create(&format!("{rbac}/rolebindings"), &binding).await?;
    admin.create(CONFIG_MAPS, &config_map("visible", &json!({}))).await?;

    let reader = cluster
        .api(&User::service_account("default", "reader"), "reader-under-test")
        .await?;
    assert_eq!(names(&reader.get(CONFIG_MAPS).await?), ["visible"]);
    let refused = reader.create(CONFIG_MAPS, &config_map("forbidden", &json!({}))).await;
    let message = refused.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(message.contains("system:serviceaccount:default:reader"), "{message:?}");

    let requests = cluster.requests("reader-under-test")?;
    let summary: Vec<_> = requests
        .iter()
        .map(|request| {
            (
                request.verb.as_str(),
                request.object_ref.resource.as_str(),
                request.response_status.code,
            )
        })
        .collect();
    assert_eq!(summary, [("list", "configmaps", 200), ("create", "configmaps", 403)]);
    assert!(
        requests
            .iter()
            .all(|request| request.user.username == "system:serviceaccount:default:reader")
    );
    assert_eq!(requests.iter().filter(|request| request.is_write()).count(), 1);
    Ok(())
}
