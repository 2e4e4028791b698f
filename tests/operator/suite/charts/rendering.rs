//! What helm makes of the charts, in full.

use anyhow::{Context, Result};
use kaito_api::crds;
use kaito_operator_tests::cluster::programs_or_skip;
use kaito_operator_tests::operator::{Chart, helm};
use serde_json::{Value, json};

use super::{only, other_values};

/// As YAML, without the schemas of the CRD, which another test compares.
fn yaml(objects: &[Value]) -> Result<String> {
    let documents = objects.iter().map(|object| {
        let mut object = object.clone();
        if object["kind"] == "CustomResourceDefinition" {
            object["spec"]["versions"] = json!("not shown");
        }
        Ok(serde_yaml_ng::to_string(&object)?)
    });
    Ok(documents.collect::<Result<Vec<_>>>()?.join("---\n"))
}

#[tokio::test]
async fn the_charts_render_as_recorded() -> Result<()> {
    let Some(programs) = programs_or_skip()? else {
        return Ok(());
    };
    for chart in Chart::ALL {
        let objects = chart.render(&programs, &[]).await?;
        insta::assert_snapshot!(format!("{}_by_default", chart.name()), yaml(&objects)?);
        let objects = chart.render(&programs, &["--values", &other_values(chart)]).await?;
        insta::assert_snapshot!(format!("{}_with_other_values", chart.name()), yaml(&objects)?);
    }
    Ok(())
}

#[tokio::test]
async fn helm_finds_no_fault_with_the_charts() -> Result<()> {
    let Some(programs) = programs_or_skip()? else {
        return Ok(());
    };
    for chart in Chart::ALL {
        let directory = chart.directory().display().to_string();
        helm(&programs, &["lint", "--strict", &directory]).await?;
        helm(
            &programs,
            &["lint", "--strict", &directory, "--values", &other_values(chart)],
        )
        .await?;
    }
    Ok(())
}

#[tokio::test]
async fn the_definition_is_the_generated_one_behind_the_service_of_the_release() -> Result<()> {
    let Some(programs) = programs_or_skip()? else {
        return Ok(());
    };
    for (chart, generated) in [
        (Chart::Ragengine, crds::ragengine()),
        (Chart::Workspace, crds::workspace()),
        (Chart::Workspace, crds::inference_set()),
    ] {
        let arguments = ["--set=webhook.port=8443,fullnameOverride=ours", "--namespace=here"];
        let objects = chart.render(&programs, &arguments).await?;
        let name = generated.metadata.name.as_deref();
        let definition = objects
            .iter()
            .find(|object| object["metadata"]["name"].as_str() == name)
            .with_context(|| format!("{chart:?} has no {name:?}"))?;
        let service = only(&objects, "Service")?;
        let client = "/spec/conversion/webhook/clientConfig/service";
        assert_eq!(
            definition.pointer(client),
            Some(&json!({
                "namespace": "here",
                "name": service["metadata"]["name"],
                "path": crds::CONVERSION_PATH,
                "port": 8443,
            }))
        );
        // What the template adds; the recorded renderings show it. Then as types, since helm writes 1.0 as 1.
        let mut expected = generated;
        expected.metadata.annotations = serde_json::from_value(definition["metadata"]["annotations"].clone())?;
        expected.metadata.labels = serde_json::from_value(definition["metadata"]["labels"].clone())?;
        expected.spec.conversion = serde_json::from_value(definition["spec"]["conversion"].clone())?;
        let found = serde_json::from_value(definition.clone())?;
        assert!(expected == found, "{expected:#?}\nis not\n{found:#?}");
    }
    Ok(())
}

#[tokio::test]
async fn the_definition_can_be_left_to_others() -> Result<()> {
    let Some(programs) = programs_or_skip()? else {
        return Ok(());
    };
    for chart in Chart::ALL {
        let objects = chart.render(&programs, &["--set=crds.install=false"]).await?;
        assert!(
            objects
                .iter()
                .all(|object| object["kind"] != "CustomResourceDefinition")
        );
    }
    Ok(())
}

#[tokio::test]
async fn names_follow_the_release_as_those_of_kaito_do() -> Result<()> {
    let Some(programs) = programs_or_skip()? else {
        return Ok(());
    };
    let long = "a".repeat(53);
    for (release, ragengine, workspace) in [
        ("ragengine", "ragengine", "ragengine-workspace"),
        ("my-workspace-1", "my-workspace-1-ragengine", "my-workspace-1"),
        ("7", "7-ragengine", "7-workspace"),
        (
            long.as_str(),
            &format!("{long}-ragengine"),
            &format!("{long}-workspace"),
        ),
    ] {
        for (chart, name) in [(Chart::Ragengine, ragengine), (Chart::Workspace, workspace)] {
            let objects = chart.render(&programs, &["--name-template", release]).await?;
            assert_eq!(only(&objects, "Deployment")?["metadata"]["name"], *name);
            let labels = &only(&objects, "Service")?["metadata"]["labels"];
            assert_eq!(labels["app.kubernetes.io/instance"], *release);
            let service = only(&objects, "Service")?["metadata"]["name"].as_str().unwrap();
            assert!(service.len() <= 63, "{service}");
        }
    }
    Ok(())
}
