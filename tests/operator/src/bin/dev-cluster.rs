//! A Kubernetes control plane with the operator in it, to try things by hand: `make dev-cluster`.

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    kaito_operator_tests::dev_cluster::run().await
}
