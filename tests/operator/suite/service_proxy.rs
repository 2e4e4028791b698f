//! What the tests of the operator expect of the proxy that leads to Services.

use anyhow::Result;
use axum::Router;
use axum::routing::get;
use kaito_operator_tests::service_proxy::ServiceProxy;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::kubelet::{DEPLOYMENTS, SERVICES, available, deployment, service, with_a_kubelet};

#[tokio::test]
async fn a_service_leads_to_its_ready_pod() -> Result<()> {
    let Some((cluster, kubelet)) = with_a_kubelet().await? else {
        return Ok(());
    };
    let proxy = ServiceProxy::start(&cluster, &kubelet).await?;
    let (client, admin) = (proxy.client()?, cluster.admin()?);
    let base = "http://echo.default.svc";
    let unknown = client.get(base).send().await?;
    assert_eq!(unknown.status(), StatusCode::BAD_GATEWAY);
    assert_eq!(unknown.text().await?, "there is no Service echo.default.svc:80");
    admin.create(SERVICES, &service("echo")).await?;
    let empty = client.get(base).send().await?;
    assert_eq!(empty.status(), StatusCode::SERVICE_UNAVAILABLE);
    let words = "Service \"echo\" in namespace \"default\" has no ready endpoint";
    assert_eq!(empty.text().await?, words);

    admin
        .create(DEPLOYMENTS, &deployment("echo", &json!({}), &json!({})))
        .await?;
    let pod = available(&admin, &kubelet, "echo").await?;
    let slices = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices";
    let ready = |slices: &Value| slices["items"][0]["endpoints"][0]["conditions"]["ready"] == true;
    admin.wait_for(slices, ready).await?;
    for name in ["echo.default", "echo.default.svc", "echo.default.svc.cluster.local:80"] {
        let description: Value = client.get(format!("http://{name}/")).send().await?.json().await?;
        assert_eq!(description["process"], json!(pod.processes[0]), "{name}");
    }
    let other_port = client.get("http://echo.default.svc:8080/").send().await?;
    assert_eq!(other_port.status(), StatusCode::BAD_GATEWAY);
    let body = "0123456789".repeat(500_000);
    let echo = client.post(format!("{base}/echo")).body(body.clone()).send().await?;
    assert!(echo.text().await? == body, "what was sent comes back");
    Ok(())
}

#[tokio::test]
async fn a_registered_name_leads_to_a_server_of_the_test() -> Result<()> {
    let Some((cluster, kubelet)) = with_a_kubelet().await? else {
        return Ok(());
    };
    let proxy = ServiceProxy::start(&cluster, &kubelet).await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let model = Router::new().route("/v1/models", get(async || "model"));
    let served = tokio::spawn(async { axum::serve(listener, model).await });
    proxy.register("http://model.default.svc", address)?;
    let client = proxy.client()?;
    let answer = client
        .get("http://model.default.svc.cluster.local/v1/models")
        .send()
        .await?;
    assert_eq!(answer.error_for_status()?.text().await?, "model");
    served.abort();
    Ok(())
}
