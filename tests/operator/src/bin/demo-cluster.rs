//! Shows a Workspace and a RAGEngine at work on a Kubernetes control plane: `make demo-cluster`.

use clap::Parser;
use kaito_operator_tests::demo;
use tokio::signal::ctrl_c;

/// Shows a Workspace and a RAGEngine at work. Ends well only if every step was seen.
#[derive(Parser)]
struct Arguments {
    /// Show what happens when machines, models and Workspaces fail, too.
    #[arg(long)]
    faults: bool,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    tokio::select! {
        // What has started is stopped.
        stopped = ctrl_c() => Ok(stopped?),
        shown = demo::run(arguments.faults) => shown,
    }
}
