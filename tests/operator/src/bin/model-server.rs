//! A model server without a model, for pods of the tests: see the library's module `model_server`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    kaito_operator_tests::model_server::run().await
}
