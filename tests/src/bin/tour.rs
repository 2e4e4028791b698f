//! Starts the service, feeds it this project's own documentation, asks three questions, and checks the answers.
//!
//! `make run` shows this and goes on serving; `make smoke` exits with 0 only when every answer was right.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use kaito_tests::client::{Client, text_of};
use kaito_tests::service::{Service, ServiceOptions};
use reqwest::Method;
use serde_json::{Value, json};

const INDEX: &str = "kaito-rs-docs";
const FILES: [&str; 4] = [
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "rag-service/COMPATIBILITY.md",
];
/// Each question, and words that one of the passages which answer it must have.
const QUESTIONS: [(&str, &str); 3] = [
    ("What is the only truth of an embedded index?", "SQLite"),
    ("How do I back up an index while the service is running?", "/persist"),
    ("Why does KAITO return the worst passages first?", "distance"),
];
const SHOWN_CHARACTERS: usize = 220;

/// Shows the service at work on this project's documentation.
#[derive(Parser)]
struct Arguments {
    /// Go on serving on 127.0.0.1:5000, with the data under ./data, until Ctrl-C.
    #[arg(long)]
    serve: bool,
    /// The project's directory.
    #[arg(long, default_value = ".")]
    project: PathBuf,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let scratch = tempfile::tempdir()?;
    let directory = if arguments.serve {
        arguments.project.clone()
    } else {
        scratch.path().to_owned()
    };
    let mut options = ServiceOptions::new(&directory);
    if arguments.serve {
        let address = std::env::var("RAG_LISTEN_ADDRESS").unwrap_or_else(|_| "127.0.0.1:5000".to_owned());
        options = options.listening_on(&address);
    }
    println!("Starting rag-service ...");
    let service = options.start().await?;
    let client = service.client().clone();
    println!("Ready on {}\n", client.base());
    let missed = show(&client, &arguments.project).await?;
    if arguments.serve {
        print_what_next(client.base());
        service.show_log();
        return wait(service).await;
    }
    ensure!(
        missed == 0,
        "{missed} of {} questions were not answered",
        QUESTIONS.len()
    );
    let (code, log) = service.stop().await?;
    ensure!(code == 0, "the service ended with code {code}:\n{log}");
    println!("All {} questions were answered.", QUESTIONS.len());
    Ok(())
}

/// Indexes the documentation and asks; returns how many questions had no right passage.
async fn show(client: &Client, project: &Path) -> Result<usize> {
    // An earlier run's texts would stand beside today's.
    client.send(Method::DELETE, &format!("/indexes/{INDEX}"), None).await?;
    let documents: Vec<Value> = FILES
        .iter()
        .map(|file| document(project, file))
        .collect::<Result<_>>()?;
    let ids = client.index(INDEX, &documents).await?;
    println!("Indexed {} documents as {INDEX:?}: {}\n", ids.len(), FILES.join(", "));
    let mut missed = 0;
    for (question, words) in QUESTIONS {
        println!("Q: {question}");
        let request = json!({"index_name": INDEX, "query": question, "max_node_count": 3});
        let results = client.retrieve(&request).await?;
        for (rank, result) in (1..).zip(&results) {
            print_result(rank, result)?;
        }
        let answered = results
            .iter()
            .any(|result| text_of(result, "text").is_ok_and(|text| text.contains(words)));
        if !answered {
            println!("   none of these mentions {words:?}");
            missed += 1;
        }
        println!();
    }
    Ok(missed)
}

fn document(project: &Path, file: &str) -> Result<Value> {
    let path = project.join(file);
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path:?}"))?;
    Ok(json!({"text": text, "metadata": {"file": file, "split_type": "markdown"}}))
}

fn print_result(rank: usize, result: &Value) -> Result<()> {
    let number = |key: &str| {
        result
            .get(key)
            .and_then(Value::as_f64)
            .map_or("-".to_owned(), |score| format!("{score:.3}"))
    };
    let file = result
        .pointer("/metadata/file")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let text = text_of(result, "text")?
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    let shown: String = text.chars().take(SHOWN_CHARACTERS).collect();
    println!(
        "   {rank}. score {}  (dense {}, sparse {})  {file}",
        number("score"),
        number("dense_score"),
        number("sparse_score")
    );
    println!("      {shown}{}", if shown.len() < text.len() { " ..." } else { "" });
    Ok(())
}

fn print_what_next(base: &str) {
    let curl = match std::env::var_os("RAG_API_KEY") {
        Some(_) => "curl -H \"Authorization: Bearer $RAG_API_KEY\"",
        None => "curl",
    };
    println!("Serving on {base} until Ctrl-C. Try:\n");
    println!("  {curl} {base}/index -H 'Content-Type: application/json' \\");
    println!(
        "    -d '{{\"index_name\": \"mine\", \"documents\": [{{\"text\": \"The archive room is on floor 3.\"}}]}}'"
    );
    println!("  {curl} {base}/retrieve -H 'Content-Type: application/json' \\");
    println!("    -d '{{\"index_name\": \"mine\", \"query\": \"where are old files kept?\"}}'");
    println!("  {curl} {base}/indexes\n");
    println!(
        "Started with LLM_INFERENCE_URL=<a model's .../v1/chat/completions> it also answers chats, from an index:\n"
    );
    println!("  {curl} {base}/v1/chat/completions -H 'Content-Type: application/json' \\");
    println!(
        "    -d '{{\"index_name\": \"mine\", \"messages\": [{{\"role\": \"user\", \"content\": \"where are old files kept?\"}}]}}'\n"
    );
}

/// Serves until Ctrl-C or until the service ends by itself.
async fn wait(mut service: Service) -> Result<()> {
    tokio::select! {
        status = service.wait() => {
            ensure!(status?.success(), "the service ended by itself");
            Ok(())
        }
        interrupted = tokio::signal::ctrl_c() => {
            interrupted?;
            println!("Stopping ...");
            // In a terminal the service has heard Ctrl-C too, and may be gone; from a script only this program has.
            let _ = service.terminate().await;
            ensure!(service.wait().await?.success(), "the service did not stop cleanly");
            Ok(())
        }
    }
}
