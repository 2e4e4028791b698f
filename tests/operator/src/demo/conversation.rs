//! What is said to the engine, through its Service.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::Demo;
use super::objects::ENGINES;

const FACT: &str = "The archive of the Orlin expedition is kept in vault 12 below the east wing.";
const OTHER: &str = "Cats purr when they are content.";
const QUESTION: &str = "Where is the archive of the Orlin expedition kept?";

impl Demo {
    /// Indexes two documents.
    pub(super) async fn index(&self) -> Result<()> {
        let documents = json!({"index_name": "demo", "documents": [{"text": FACT}, {"text": OTHER}]});
        self.post("/index", &documents).await?;
        self.tell("two documents are indexed");
        Ok(())
    }

    /// Retrieves the right one of the documents, for which no model is needed.
    pub(super) async fn retrieve(&self) -> Result<()> {
        let query = json!({"index_name": "demo", "query": QUESTION, "max_node_count": 1});
        let answer = self.post("/retrieve", &query).await?;
        let found = answer.pointer("/results/0/text");
        ensure!(found == Some(&json!(FACT)), "another passage was found: {answer}");
        self.tell("the engine still retrieves");
        Ok(())
    }

    /// Asks the model, and looks whether its answer is from the documents.
    pub(super) async fn ask(&self) -> Result<()> {
        let engine = self.admin.get(&format!("{ENGINES}/docs")).await?;
        let model = engine.pointer("/status/inference/model").cloned();
        let question = json!({
            "model": model, "index_name": "demo", "messages": [{"role": "user", "content": QUESTION}],
        });
        let answer = self.post("/v1/chat/completions", &question).await?;
        let text = answer.pointer("/choices/0/message/content").and_then(Value::as_str);
        let text = text.with_context(|| format!("there is no answer in {answer}"))?;
        let source = answer.pointer("/source_nodes/0/text").and_then(Value::as_str);
        ensure!(text.contains(FACT), "the answer is not from the documents: {answer}");
        ensure!(source == Some(FACT), "the answer has other sources: {answer}");
        self.tell(&format!("asked {QUESTION:?}"));
        self.tell(&format!(
            "the answer: {text:?}, from the document {:?}",
            source.unwrap_or_default()
        ));
        Ok(())
    }

    async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let engine = self.admin.get(&format!("{ENGINES}/docs")).await?;
        let url = engine
            .pointer("/status/url")
            .and_then(Value::as_str)
            .context("no status.url")?;
        let answer = self.client.post(format!("{url}{path}")).json(body).send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        ensure!(
            status.is_success(),
            "{path} is answered with {status}: {text}\n{}",
            self.engine_logs()
        );
        Ok(serde_json::from_str(&text)?)
    }

    fn engine_logs(&self) -> String {
        let pods = self.kubelet.pods();
        let logs = pods.iter().filter(|pod| pod.name.starts_with("docs-"));
        logs.map(|pod| self.kubelet.log(&pod.namespace, &pod.name, "docs"))
            .collect()
    }
}
