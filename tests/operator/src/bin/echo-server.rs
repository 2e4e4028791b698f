//! What the kubelet's own tests run in their pods: it tells what it was given, and keeps files.
//!
//! LISTEN is where it listens. With COMPLAINT, it prints that and ends with exit code 3; with DONE, it ends
//! well at once; with STUBBORN, it does not end when asked to. It is ready while the file
//! `unready` does not exist in the directory DATA, and alive while `dead` does not.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result};
use axum::body::Body;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    if let Ok(complaint) = std::env::var("COMPLAINT") {
        println!("starting");
        eprintln!("{complaint}");
        std::process::exit(3);
    }
    if std::env::var_os("DONE").is_some() {
        return Ok(());
    }
    let address = std::env::var("LISTEN").context("LISTEN is not set")?;
    let service = Router::new()
        .route("/", get(describe))
        .route("/ready", get(async || status_without("unready")))
        .route("/alive", get(async || status_without("dead")))
        .route("/echo", post(async |body: Body| body))
        .route("/files/{variable}/{name}", get(read).put(write));
    let listener = TcpListener::bind(&address).await?;
    println!("listening on {address}");
    let mut end = signal(SignalKind::terminate())?;
    axum::serve(listener, service)
        .with_graceful_shutdown(async move {
            end.recv().await;
            println!("asked to end");
            if std::env::var_os("STUBBORN").is_some() {
                std::future::pending::<()>().await;
            }
        })
        .await?;
    Ok(())
}

async fn describe() -> Json<Value> {
    let environment: BTreeMap<String, String> = std::env::vars().collect();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    Json(json!({"environment": environment, "arguments": arguments, "process": std::process::id()}))
}

fn status_without(name: &str) -> StatusCode {
    match file("DATA", name) {
        Some(file) if file.exists() => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::OK,
    }
}

async fn read(Path((variable, name)): Path<(String, String)>) -> Result<String, StatusCode> {
    let file = file(&variable, &name).ok_or(StatusCode::NOT_FOUND)?;
    std::fs::read_to_string(file).map_err(|_| StatusCode::NOT_FOUND)
}

async fn write(Path((variable, name)): Path<(String, String)>, content: String) -> StatusCode {
    let written = file(&variable, &name).map(|file| std::fs::write(file, content));
    match written {
        Some(Ok(())) => StatusCode::CREATED,
        _ => StatusCode::NOT_FOUND,
    }
}

/// A file of the directory that a variable names.
fn file(variable: &str, name: &str) -> Option<PathBuf> {
    Some(PathBuf::from(std::env::var_os(variable)?).join(name))
}
