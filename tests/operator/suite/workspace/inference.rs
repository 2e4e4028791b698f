//! Serving: machines, the workload, its Services, and what is said of them.

use anyhow::Result;
use serde_json::{Value, json};

use super::{NODE_CLAIMS, SERVICES, STATEFUL_SETS, WORKSPACES, command, items, pod_spec, serving, stage, workspace};
use crate::cluster::{CONFIG_MAPS, config_map, is_true};

#[tokio::test]
async fn a_model_gets_a_machine_a_stateful_set_and_two_services_and_all_go_with_it() -> Result<()> {
    let Some(stage) = stage().await? else {
        return Ok(());
    };
    let admin = &stage.admin;
    let ready = stage
        .ready(&serving("phi", "Standard_NC24ads_A100_v4", "phi-4-mini-instruct"))
        .await?;
    for condition in ["NodeClaimReady", "NodesReady", "ResourceReady", "InferenceReady"] {
        assert!(is_true(&ready, condition), "{condition}: {}", ready["status"]);
    }
    let claims = admin.get(NODE_CLAIMS).await?;
    let [claim] = items(&claims) else {
        anyhow::bail!("not one NodeClaim: {claims}");
    };
    assert_eq!(claim["metadata"]["labels"]["kaito.sh/workspace"], "phi");
    assert_eq!(ready["status"]["workerNodes"], json!([claim["status"]["nodeName"]]));
    let set = admin.get(&format!("{STATEFUL_SETS}/phi")).await?;
    assert_eq!(set["status"]["readyReplicas"], 1);
    let container = &pod_spec(&set)["containers"][0];
    assert!(command(container).contains("/workspace/vllm/inference_api.py"));
    assert_eq!(container["resources"]["limits"], json!({"nvidia.com/gpu": "1"}));
    let service = admin.get(&format!("{SERVICES}/phi")).await?;
    assert_eq!(service["spec"]["ports"][0]["port"], 80);
    let headless = admin.get(&format!("{SERVICES}/phi-headless")).await?;
    assert_eq!(headless["spec"]["clusterIP"], "None");

    admin.delete(&format!("{WORKSPACES}/phi")).await?;
    for path in [WORKSPACES, NODE_CLAIMS, STATEFUL_SETS, "/api/v1/nodes"] {
        admin.wait_for(path, |list| items(list).is_empty()).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_model_that_is_too_large_for_one_machine_is_served_by_several() -> Result<()> {
    let Some(stage) = stage().await? else {
        return Ok(());
    };
    let ready = stage
        .ready(&serving(
            "qwen",
            "Standard_NC24ads_A100_v4",
            "qwen2.5-coder-32b-instruct",
        ))
        .await?;
    assert_eq!(ready["status"]["targetNodeCount"], 2);
    assert_eq!(items(&stage.admin.get(NODE_CLAIMS).await?).len(), 2);
    let set = stage.admin.get(&format!("{STATEFUL_SETS}/qwen")).await?;
    assert_eq!(set["status"]["readyReplicas"], 2);
    let command = command(&pod_spec(&set)["containers"][0]);
    assert!(command.contains("--pipeline-parallel-size=2"), "{command}");
    Ok(())
}

#[tokio::test]
async fn options_of_a_config_map_reach_the_model_and_a_change_of_them_replaces_its_pod() -> Result<()> {
    let Some(stage) = stage().await? else {
        return Ok(());
    };
    let options = |length: u32| json!({"inference_config.yaml": format!("vllm: {{max-model-len: {length}}}")});
    stage
        .admin
        .create(CONFIG_MAPS, &config_map("options", &options(4096)))
        .await?;
    let mut served = serving("phi", "Standard_NC24ads_A100_v4", "phi-4-mini-instruct");
    served["inference"]["config"] = json!("options");
    stage.ready(&served).await?;
    let path = format!("{STATEFUL_SETS}/phi");
    let before = stage.admin.get(&path).await?;
    let pod = pod_spec(&before);
    assert!(command(&pod["containers"][0]).contains("--kaito-config-file=/mnt/config/inference_config.yaml"));
    assert!(pod["volumes"].to_string().contains(r#""name":"options""#), "{pod}");
    stage
        .admin
        .patch(&format!("{CONFIG_MAPS}/options"), &json!({"data": options(8192)}))
        .await?;
    let changed = |set: &Value| set["spec"]["template"] != before["spec"]["template"];
    stage.admin.wait_for(&path, changed).await?;
    Ok(())
}

#[tokio::test]
async fn the_transformers_library_serves_when_asked_to() -> Result<()> {
    let Some(stage) = stage().await? else {
        return Ok(());
    };
    let mut served = serving("phi", "Standard_NC24ads_A100_v4", "phi-4");
    served["metadata"]["annotations"]["kaito.sh/runtime"] = json!("transformers");
    stage.ready(&served).await?;
    let set = stage.admin.get(&format!("{STATEFUL_SETS}/phi")).await?;
    let command = command(&pod_spec(&set)["containers"][0]);
    assert!(command.contains("/workspace/tfs/inference_api.py"), "{command}");
    Ok(())
}

#[tokio::test]
async fn a_pod_template_of_the_user_becomes_ready_on_a_machine() -> Result<()> {
    let Some(stage) = stage().await? else {
        return Ok(());
    };
    let mut served = workspace("own", "Standard_NC24ads_A100_v4");
    served["inference"] = json!({"template": {
        "metadata": {"labels": {"mine": "yes"}},
        "spec": {"containers": [{"name": "nginx", "image": "example.org/nginx:1"}]},
    }});
    stage.ready(&served).await?;
    let set = stage.admin.get(&format!("{STATEFUL_SETS}/own")).await?;
    assert_eq!(pod_spec(&set)["containers"][0]["image"], "example.org/nginx:1");
    assert_eq!(set["spec"]["template"]["metadata"]["labels"]["mine"], "yes");
    assert_eq!(items(&stage.admin.get(NODE_CLAIMS).await?).len(), 1);
    Ok(())
}
