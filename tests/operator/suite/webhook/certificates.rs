//! The certificate that replicas share.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kaito_controller::webhook::CertificateLifetime;
use kaito_operator_tests::cluster::{Api, cluster_or_skip};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::{Value, json};

use super::{CONFIGURATION, CONFIGURATIONS, CRD, DRY_RUN, OLD_ENGINES, SECRET, asked_by_the_api_server, ca_bundle};
use super::{configuration, decoded, engine, eventually, free_address, install, is_trusted, settings, start};

async fn serving(admin: &Api) -> Result<String> {
    Ok(decoded(&admin.get(SECRET).await?["data"]["server-cert.pem"]))
}

#[tokio::test]
async fn two_replicas_agree_on_one_certificate() -> Result<()> {
    let Some(cluster) = cluster_or_skip().await? else {
        return Ok(());
    };
    let admin = install(&cluster).await?;
    let first = settings(free_address()?)?;
    // The same URL, as replicas have the same Service; the second one only listens elsewhere.
    let mut second = first.clone();
    second.address.set_port(0);
    let (first, second) = tokio::join!(start(&cluster, first, "one"), start(&cluster, second, "two"));
    let (first, second) = (first?, second?);
    let authorities = decoded(&admin.get(SECRET).await?["data"]["ca-cert.pem"]);
    assert_eq!(authorities.matches("BEGIN").count(), 1);
    for running in [&first, &second] {
        assert!(is_trusted(&authorities, running.webhook.address()).await?);
    }
    let crd = admin.wait_for(CRD, |crd| !ca_bundle(crd).is_empty()).await?;
    assert_eq!(ca_bundle(&crd), authorities);

    // What is spoilt or deleted is put back as it was.
    let before = serving(&admin).await?;
    let garbage = json!({"data": {"server-cert.pem": STANDARD.encode("garbage")}});
    admin.patch(SECRET, &garbage).await?;
    eventually("the certificate is back", async || Ok(serving(&admin).await? == before)).await?;
    admin.delete(SECRET).await?;
    admin
        .wait_for(SECRET, |secret| decoded(&secret["data"]["server-cert.pem"]) == before)
        .await?;
    for running in [first, second] {
        assert!(running.webhook.is_ready());
        assert!(is_trusted(&authorities, running.webhook.address()).await?);
        running.stop().await;
    }
    Ok(())
}

#[tokio::test]
async fn requests_succeed_while_the_certificate_changes() -> Result<()> {
    let Some(cluster) = cluster_or_skip().await? else {
        return Ok(());
    };
    let admin = install(&cluster).await?;
    let mut settings = settings(free_address()?)?;
    settings.lifetime = CertificateLifetime {
        validity: Duration::from_secs(9),
        settle: Duration::from_secs(1),
    };
    let address = settings.address;
    let running = start(&cluster, settings, "webhooks").await?;
    admin.create(CONFIGURATIONS, &configuration("ragengine")).await?;
    asked_by_the_api_server(&admin).await?;

    let mut seen = BTreeSet::from([serving(&admin).await?]);
    let mut requests = 0;
    while seen.len() < 3 {
        // Through the API server, in both ways that it asks.
        let path = format!("{OLD_ENGINES}?{DRY_RUN}");
        admin.create(&path, &engine("v1alpha1", "one")).await?;
        // And as a client that begins now and knows just what the API server is told now.
        for path in [CRD, CONFIGURATION] {
            let told = ca_bundle(&admin.get(path).await?);
            ensure!(is_trusted(&told, address).await?, "{path} after {requests} requests");
        }
        requests += 1;
        seen.insert(serving(&admin).await?);
    }
    assert!(requests > 10, "{requests}");
    let told = ca_bundle(&admin.get(CONFIGURATION).await?);
    assert!(told.matches("BEGIN").count() <= 2, "authorities do not pile up");
    running.stop().await;
    Ok(())
}

/// As cert-manager makes it.
fn of_cert_manager(host: &str) -> Result<(Value, String)> {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
    let key = KeyPair::generate()?;
    let certificate = CertificateParams::new([host.to_owned()])?.signed_by(&key, &authority)?;
    let data = json!({
        "tls.crt": STANDARD.encode(certificate.pem()), "tls.key": STANDARD.encode(key.serialize_pem()),
        "ca.crt": STANDARD.encode(authority.pem()),
    });
    Ok((data, authority.pem()))
}

#[tokio::test]
async fn a_certificate_of_cert_manager_is_served_and_not_touched() -> Result<()> {
    let Some(cluster) = cluster_or_skip().await? else {
        return Ok(());
    };
    let admin = install(&cluster).await?;
    let settings = settings(free_address()?)?;
    let address = settings.address;
    let (data, authority) = of_cert_manager(&address.ip().to_string())?;
    let secret = json!({"metadata": {"name": "ragengine-webhook-cert"}, "type": "kubernetes.io/tls", "data": data});
    let made = admin.create("/api/v1/namespaces/kaito/secrets", &secret).await?;
    let running = start(&cluster, settings, "webhooks").await?;
    admin.create(CONFIGURATIONS, &configuration("ragengine")).await?;
    asked_by_the_api_server(&admin).await?;
    assert!(is_trusted(&authority, address).await?);
    // It renews its certificates itself.
    let (data, renewed) = of_cert_manager(&address.ip().to_string())?;
    let changed = admin.patch(SECRET, &json!({"data": data})).await?;
    assert_ne!(
        changed["metadata"]["resourceVersion"],
        made["metadata"]["resourceVersion"]
    );
    admin
        .wait_for(CONFIGURATION, |object| ca_bundle(object).contains(renewed.trim()))
        .await?;
    eventually("the new one is served", async || is_trusted(&renewed, address).await).await?;
    assert_eq!(admin.get(SECRET).await?["metadata"], changed["metadata"]);
    running.stop().await;
    Ok(())
}
