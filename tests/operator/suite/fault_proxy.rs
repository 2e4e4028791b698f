//! What the tests of the operator expect of the proxy that makes faults.

use std::pin::pin;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use futures::{Stream, StreamExt};
use http::StatusCode;
use k8s_openapi::api::core::v1::ConfigMap;
use kaito_operator_tests::cluster::{Cluster, User, cluster_or_skip};
use kaito_operator_tests::fault_proxy::{FaultProxy, Matcher, Reply, Times};
use kube::api::{ListParams, Patch, PatchParams};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event};
use serde_json::json;
use tokio::time::timeout;

use super::cluster::{CONFIG_MAPS, config_map};

const PATIENCE: Duration = Duration::from_secs(60);

/// A proxy, and a client of a ServiceAccount, which may do everything, that goes through it.
async fn through_a_proxy(cluster: &Cluster) -> Result<(FaultProxy, kube::Api<ConfigMap>)> {
    let admin = cluster.admin()?;
    let account = json!({"metadata": {"name": "operator"}});
    admin
        .create("/api/v1/namespaces/default/serviceaccounts", &account)
        .await?;
    let binding = json!({
        "metadata": {"name": "operator"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "namespace": "default", "name": "operator"}],
    });
    admin
        .create("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", &binding)
        .await?;
    let proxy = FaultProxy::start(cluster).await?;
    let client = proxy.client(&User::service_account("default", "operator")).await?;
    Ok((proxy, kube::Api::namespaced(client, "default")))
}

fn patch() -> Patch<ConfigMap> {
    Patch::Apply(ConfigMap {
        metadata: kube::core::ObjectMeta {
            name: Some("one".to_owned()),
            ..kube::core::ObjectMeta::default()
        },
        data: Some([("key".to_owned(), "value".to_owned())].into()),
        ..ConfigMap::default()
    })
}

fn refusal<T: std::fmt::Debug>(result: Result<T, kube::Error>) -> Result<kube::core::Status> {
    match result {
        Err(kube::Error::Api(status)) => Ok(*status),
        other => bail!("{other:?} is no refusal"),
    }
}

/// The name of the next object that a watch tells of.
async fn next_name(events: &mut (impl Stream<Item = watcher::Result<Event<ConfigMap>>> + Unpin)) -> Result<String> {
    loop {
        let event = timeout(PATIENCE, events.next()).await?.context("the watch has ended")?;
        if let Ok(Event::Apply(object) | Event::InitApply(object)) = event {
            return Ok(object.metadata.name.unwrap_or_default());
        }
    }
}

#[tokio::test]
async fn requests_get_the_answers_asked_for_and_then_the_api_servers() -> Result<()> {
    let Some(cluster) = cluster_or_skip().await? else {
        return Ok(());
    };
    let (proxy, config_maps) = through_a_proxy(&cluster).await?;
    let manager = PatchParams::apply("tests");
    let patches = Matcher::verb("patch").path("/configmaps/one");
    proxy.answer(patches.clone(), Reply::conflict(), Times::Next(1));
    let too_many = Reply::too_many_requests(Duration::from_secs(1));
    proxy.answer(patches.clone(), too_many, Times::Next(1));
    let first = refusal(config_maps.patch("one", &manager, &patch()).await)?;
    assert_eq!((first.code, first.reason.as_str()), (409, "Conflict"));
    let raw = cluster.admin()?;
    assert!(
        !raw.exists(&format!("{CONFIG_MAPS}/one")).await?,
        "it has not got through"
    );
    let second = refusal(config_maps.patch("one", &manager, &patch()).await)?;
    assert_eq!((second.code, second.reason.as_str()), (429, "TooManyRequests"));
    let details = second.details.map(|details| details.retry_after_seconds);
    assert_eq!(details, Some(1));
    let applied = config_maps.patch("one", &manager, &patch()).await?;
    assert_eq!(applied.data.context("there is no data")?["key"], "value");
    assert_eq!(proxy.count(&patches), 3);

    let lists = Matcher::verb("list").path("/configmaps");
    proxy.answer(lists.clone(), Reply::unavailable(), Times::Always);
    for _ in 0..2 {
        assert_eq!(refusal(config_maps.list(&ListParams::default()).await)?.code, 503);
    }
    let gets = Matcher::verb("get");
    proxy.answer(gets.clone(), Reply::internal_error(), Times::Next(1));
    assert_eq!(refusal(config_maps.get("one").await)?.code, 500);
    proxy.answer(
        gets,
        Reply::new(StatusCode::FORBIDDEN, "Forbidden", "no"),
        Times::Next(1),
    );
    assert_eq!(refusal(config_maps.get("one").await)?.message, "no");
    proxy.clear();
    let delay = Duration::from_millis(300);
    proxy.delay(lists, delay);
    let started = Instant::now();
    assert_eq!(
        config_maps
            .list(&ListParams::default().labels("no=label"))
            .await?
            .items
            .len(),
        0
    );
    assert!(started.elapsed() >= delay);
    let agents = cluster.requests("")?;
    let user = agents
        .iter()
        .find(|request| request.verb == "patch")
        .context("no patch is recorded")?;
    assert_eq!(user.user.username, "system:serviceaccount:default:operator");
    Ok(())
}

#[tokio::test]
async fn a_client_that_asks_again_by_itself_waits_as_long_as_it_is_told() -> Result<()> {
    let Some(cluster) = cluster_or_skip().await? else {
        return Ok(());
    };
    let proxy = FaultProxy::start(&cluster).await?;
    let kubeconfig = kube::config::Kubeconfig::read_from(proxy.kubeconfig(&User::Admin).await?)?;
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &kube::config::KubeConfigOptions::default()).await?;
    let config_maps: kube::Api<ConfigMap> = kube::Api::default_namespaced(config.try_into()?);
    let retry_after = Duration::from_secs(1);
    proxy.answer(Matcher::any(), Reply::too_many_requests(retry_after), Times::Next(1));
    let started = Instant::now();
    config_maps.list(&ListParams::default()).await?;
    assert!(started.elapsed() >= retry_after);
    assert_eq!(proxy.count(&Matcher::verb("list").path("/configmaps")), 2);
    Ok(())
}

#[tokio::test]
async fn a_watch_survives_a_cut_and_an_expiry() -> Result<()> {
    let Some(cluster) = cluster_or_skip().await? else {
        return Ok(());
    };
    let (proxy, config_maps) = through_a_proxy(&cluster).await?;
    let admin = cluster.admin()?;
    let ours = watcher::Config::default().labels("ours");
    let mut events = pin!(watcher::watcher(config_maps, ours).default_backoff());
    let create = async |name: &str| {
        let mut object = config_map(name, &json!({}));
        object["metadata"]["labels"] = json!({"ours": ""});
        admin.create(CONFIG_MAPS, &object).await
    };
    create("first").await?;
    assert_eq!(next_name(&mut events).await?, "first");
    create("second").await?;
    assert_eq!(
        next_name(&mut events).await?,
        "second",
        "as an event, without end of the answer"
    );
    let (lists, watches) = (Matcher::verb("list"), Matcher::verb("watch"));
    assert_eq!(proxy.running_watches(), 1);
    assert_eq!((proxy.count(&lists), proxy.count(&watches)), (1, 1));

    proxy.close_watches();
    create("third").await?;
    assert_eq!(next_name(&mut events).await?, "third");
    assert_eq!(
        (proxy.count(&lists), proxy.count(&watches)),
        (1, 2),
        "it goes on where it was"
    );

    proxy.expire_watches();
    let mut again = Vec::new();
    for _ in 0..3 {
        again.push(next_name(&mut events).await?);
    }
    assert_eq!(again, ["first", "second", "third"]);
    create("fourth").await?;
    assert_eq!(next_name(&mut events).await?, "fourth");
    assert_eq!(proxy.count(&lists), 2, "it has begun anew");
    Ok(())
}

#[tokio::test]
async fn kubectl_works_through_the_proxy() -> Result<()> {
    let Some(cluster) = cluster_or_skip().await? else {
        return Ok(());
    };
    let proxy = FaultProxy::start(&cluster).await?;
    let kubeconfig = proxy.kubeconfig(&User::Admin).await?;
    let kubeconfig = format!("--kubeconfig={}", kubeconfig.display());
    cluster
        .kubectl(&[&kubeconfig, "create", "configmap", "made", "--from-literal=a=b"])
        .await?;
    assert!(cluster.admin()?.exists(&format!("{CONFIG_MAPS}/made")).await?);
    assert_eq!(proxy.count(&Matcher::verb("create").path("/configmaps")), 1);
    Ok(())
}
