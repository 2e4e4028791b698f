//! What the ServiceAccounts and the pods of the charts may do, and what they may not. That it is enough is shown by every test that
//! runs the controller, since it runs with these rights.

use anyhow::Result;
use kaito_operator_tests::cluster::{Cluster, User, cluster_or_skip};
use kaito_operator_tests::operator::{Chart, Installation};
use serde_json::{Value, json};

use super::only;

/// What somebody asks to do: `verb group/resource[/subresource] [namespace/]name`, with `-` for every name and for the
/// core group.
async fn may(cluster: &Cluster, user: &User, question: &str) -> Result<bool> {
    let User::ServiceAccount { namespace, name } = user else {
        anyhow::bail!("{user:?} is no ServiceAccount");
    };
    let [verb, resource, object] = *question.split(' ').collect::<Vec<_>>() else {
        anyhow::bail!("{question:?} has not three parts");
    };
    let mut resource = resource.split('/');
    let (object_namespace, object) = object.split_once('/').unwrap_or(("", object));
    let mut part = || resource.next().filter(|part| *part != "-");
    let review = json!({"spec": {
        "user": format!("system:serviceaccount:{namespace}:{name}"),
        "resourceAttributes": {
            "verb": verb, "group": part(), "resource": part(), "subresource": part(),
            "namespace": object_namespace, "name": Some(object).filter(|name| *name != "-"),
        },
    }});
    let path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
    let answer: Value = cluster.admin()?.create(path, &review).await?;
    Ok(answer["status"]["allowed"] == true)
}

#[tokio::test]
async fn the_ragengine_controller_may_what_it_has_to_and_nothing_more() -> Result<()> {
    let Some(cluster) = cluster_or_skip().await? else {
        return Ok(());
    };
    let installation = Installation::of(&cluster, &[Chart::Ragengine]).await?;
    let user = installation.user(Chart::Ragengine)?;
    for question in [
        "patch kaito.sh/ragengines team/rag",
        "patch kaito.sh/ragengines/status team/rag",
        "update kaito.sh/ragengines/finalizers team/rag",
        "create kaito.sh/workspaces team/phi",
        "delete kaito.sh/workspaces team/phi",
        "watch kaito.sh/inferencesets -",
        "create apps/deployments team/rag",
        "delete apps/controllerrevisions team/rag",
        "patch -/services team/rag",
        "create policy/poddisruptionbudgets team/rag",
        "create networking.k8s.io/networkpolicies team/rag",
        "create karpenter.sh/nodeclaims claim",
        "patch -/nodes node",
        "list -/secrets -",
        "patch apiextensions.k8s.io/customresourcedefinitions ragengines.kaito.sh",
        "patch admissionregistration.k8s.io/validatingwebhookconfigurations validation.ragengine.kaito.sh",
        "create events.k8s.io/events team/-",
        "update coordination.k8s.io/leases kaito-ragengine/lease",
        "patch -/secrets kaito-ragengine/ragengine-webhook-cert",
    ] {
        assert!(may(&cluster, user, question).await?, "may not {question}");
    }
    for question in [
        "create kaito.sh/ragengines team/rag",
        "delete kaito.sh/ragengines team/rag",
        "patch kaito.sh/workspaces/status team/phi",
        "patch kaito.sh/inferencesets team/phi",
        "update apps/deployments team/rag",
        "get apps/statefulsets team/rag",
        "create -/pods team/rag",
        "create -/pods/exec team/rag",
        "delete -/nodes node",
        "create -/secrets team/secret",
        "patch -/secrets team/secret",
        "patch -/secrets kaito-ragengine/another",
        "patch apiextensions.k8s.io/customresourcedefinitions workspaces.kaito.sh",
        "create apiextensions.k8s.io/customresourcedefinitions -",
        "patch admissionregistration.k8s.io/validatingwebhookconfigurations validation.workspace.kaito.sh",
        "get coordination.k8s.io/leases team/lease",
        "create rbac.authorization.k8s.io/clusterroles -",
    ] {
        assert!(!may(&cluster, user, question).await?, "may {question}");
    }
    Ok(())
}

#[tokio::test]
async fn the_workspace_controller_may_what_it_has_to_and_nothing_more() -> Result<()> {
    let Some(cluster) = cluster_or_skip().await? else {
        return Ok(());
    };
    let installation = Installation::of(&cluster, &[Chart::Workspace]).await?;
    let user = installation.user(Chart::Workspace)?;
    for question in [
        "create kaito.sh/workspaces team/phi",
        "delete kaito.sh/workspaces team/phi",
        "patch kaito.sh/workspaces/status team/phi",
        "patch kaito.sh/inferencesets team/phi",
        "patch kaito.sh/inferencesets/status team/phi",
        "update kaito.sh/inferencesets/finalizers team/phi",
        "create apps/controllerrevisions team/phi",
        "create apps/statefulsets team/phi",
        "delete apps/deployments team/phi",
        "create batch/jobs team/tune",
        "patch -/services team/phi",
        "create -/configmaps team/inference-params-template",
        "list -/pods -",
        "get -/pods/log team/phi-0",
        "list -/secrets -",
        "list -/persistentvolumeclaims -",
        "list storage.k8s.io/storageclasses -",
        "patch -/nodes node",
        "create karpenter.sh/nodeclaims claim",
        "create karpenter.sh/nodepools pool",
        "patch apiextensions.k8s.io/customresourcedefinitions workspaces.kaito.sh",
        "patch apiextensions.k8s.io/customresourcedefinitions inferencesets.kaito.sh",
        "patch admissionregistration.k8s.io/validatingwebhookconfigurations validation.inferenceset.kaito.sh",
        "patch admissionregistration.k8s.io/validatingwebhookconfigurations validation.workspace.kaito.sh",
        "create events.k8s.io/events team/-",
        "update coordination.k8s.io/leases kaito-workspace/lease",
        "create -/secrets kaito-workspace/-",
        "watch -/secrets kaito-workspace/workspace-webhook-cert",
        "patch -/secrets kaito-workspace/workspace-webhook-cert",
    ] {
        assert!(may(&cluster, user, question).await?, "may not {question}");
    }
    for question in [
        "create kaito.sh/inferencesets team/phi",
        "delete kaito.sh/inferencesets team/phi",
        "create apps/deployments team/phi",
        "create -/pods team/phi-0",
        "create -/pods/exec team/phi-0",
        "delete -/pods team/phi-0",
        "create -/secrets team/secret",
        "patch -/secrets team/secret",
        "patch -/secrets kaito-workspace/another",
        "delete -/persistentvolumeclaims team/claim",
        "delete -/nodes node",
        "create karpenter.azure.com/aksnodeclasses class",
        "patch apiextensions.k8s.io/customresourcedefinitions ragengines.kaito.sh",
    ] {
        assert!(!may(&cluster, user, question).await?, "may {question}");
    }
    Ok(())
}

#[tokio::test]
async fn pods_are_let_into_a_namespace_that_enforces_the_restricted_standard() -> Result<()> {
    let Some(cluster) = cluster_or_skip().await? else {
        return Ok(());
    };
    Installation::of(&cluster, &Chart::ALL).await?;
    let admin = cluster.admin()?;
    for chart in Chart::ALL {
        let namespace = format!("/api/v1/namespaces/{}", chart.release());
        let label = json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}});
        admin.patch(&namespace, &label).await?;
        let pods = format!("{namespace}/pods?dryRun=All");
        let objects = chart.render(cluster.programs(), &[]).await?;
        let mut pod = only(&objects, "Deployment")?["spec"]["template"].clone();
        pod["metadata"]["name"] = "controller".into();
        admin.create(&pods, &pod).await?;
        // The standard is enforced, or this would show nothing.
        pod["spec"]["securityContext"] = json!({});
        let refused = admin.try_create(&pods, &pod).await?;
        assert!(refused.message().contains("violates PodSecurity"), "{refused:?}");
    }
    Ok(())
}
