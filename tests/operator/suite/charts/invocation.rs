//! The command line and the environment that a chart gives to the controller are ones that it knows.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use clap::{CommandFactory, Parser};
use kaito_controller::Options;
use kaito_operator_tests::cluster::programs_or_skip;
use kaito_operator_tests::operator::{Chart, Invocation};

use super::{only, other_values};

/// What the controller makes of it. Variables are given as the options that they stand for, since a test cannot set its
/// environment.
fn options(invocation: &Invocation) -> Result<Options> {
    let command = Options::command();
    let flags: BTreeMap<_, _> = command
        .get_arguments()
        .filter_map(|argument| Some((argument.get_env()?.to_str()?, argument.get_long()?)))
        .collect();
    let variables = invocation.environment.iter().filter(|(name, _)| *name != "RUST_LOG");
    let variables = variables.map(|(name, value)| {
        let flag = flags
            .get(name.as_str())
            .with_context(|| format!("{name} is not known"))?;
        Ok(format!("--{flag}={value}"))
    });
    parse(
        invocation
            .arguments
            .iter()
            .cloned()
            .chain(variables.collect::<Result<Vec<_>>>()?),
    )
}

fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Options> {
    Ok(Options::try_parse_from(
        ["kaito-controller".to_owned()].into_iter().chain(arguments),
    )?)
}

#[tokio::test]
async fn the_defaults_of_the_charts_are_those_of_the_controller() -> Result<()> {
    let Some(programs) = programs_or_skip()? else {
        return Ok(());
    };
    for (chart, service) in [
        (Chart::Ragengine, "kaito-ragengine"),
        (Chart::Workspace, "kaito-workspace-svc"),
    ] {
        let objects = chart.render(&programs, &[]).await?;
        let given = options(&Invocation::of(only(&objects, "Deployment")?)?)?;
        let expected = parse([
            format!("--controllers={}", chart.name()),
            format!("--namespace={}", chart.release()),
            format!("--webhook-service={service}"),
        ])?;
        assert_eq!(format!("{given:#?}"), format!("{expected:#?}"));
    }
    Ok(())
}

#[tokio::test]
async fn other_values_are_understood() -> Result<()> {
    let Some(programs) = programs_or_skip()? else {
        return Ok(());
    };
    for chart in Chart::ALL {
        let objects = chart.render(&programs, &["--values", &other_values(chart)]).await?;
        options(&Invocation::of(only(&objects, "Deployment")?)?)?;
    }
    Ok(())
}
