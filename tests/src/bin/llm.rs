//! Asks a real small language model through the service, about facts that only the service's documents have.

use std::path::Path;
use std::process::{ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Parser;
use kaito_tests::client::{Client, text_of};
use kaito_tests::event_stream::streamed_text;
use kaito_tests::installed::installed;
use kaito_tests::service::ServiceOptions;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// How long the model may take to load.
const LOAD_TIMEOUT: Duration = Duration::from_secs(120);
/// Tokens that serve_llm.py gives the model.
const CONTEXT_WINDOW: &str = "8192";
const INDEX: &str = "facts";

/// Invented, so that no model can have read them. A title and a text.
const CORPUS: [(&str, &str); 12] = [
    (
        "reactor",
        "The reactor at Site 7 was commissioned in 1987 and uses helium.",
    ),
    (
        "ferry",
        "The ferry to Skarholm Island leaves from pier 14 every morning.",
    ),
    ("archive", "The keeper of the Velmora archive is Ottilie Brandvold."),
    ("beetle", "The glass beetle of Tarn Hollow eats only blue moss."),
    ("bridge", "The Quillon bridge is made of basalt and is 312 metres long."),
    (
        "festival",
        "The lantern festival of Ostrava Bay takes place in November.",
    ),
    (
        "engine",
        "The Halvard engine runs on turpentine and turns at 900 revolutions per minute.",
    ),
    (
        "cake",
        "Marrow cake is baked with juniper berries and served on a slate.",
    ),
    (
        "mountain",
        "Mount Erdwyn is 4127 metres high and was first climbed by Ilse Tannberg.",
    ),
    ("telescope", "The telescope at Corrie Point has a mirror of beryllium."),
    ("king", "King Aldomar of Fenwick had a white raven named Pibroch."),
    (
        "guild",
        "The guild of clockmakers in Dorvan was founded by Matthis Oell.",
    ),
];

struct Question {
    text: &'static str,
    /// Title of the document that has the answer.
    source: &'static str,
    /// What the answer has to contain.
    fact: &'static str,
    streamed: bool,
}

/// The model has 270 million parameters and was never taught to chat: it answers what stands in a passage word by word.
const QUESTIONS: [Question; 3] = [
    Question {
        text: "When was the reactor at Site 7 commissioned?",
        source: "reactor",
        fact: "1987",
        streamed: false,
    },
    Question {
        text: "What is the Quillon bridge made of?",
        source: "bridge",
        fact: "basalt",
        streamed: true,
    },
    Question {
        text: "Who founded the guild of clockmakers in Dorvan?",
        source: "guild",
        fact: "Oell",
        streamed: false,
    },
];

/// Starts a small real language model (`.setup/setup.sh llm` installs it) and the service in front of it, asks three
/// questions about invented facts, and succeeds when all three answers and their sources are right.
#[derive(Parser)]
struct Arguments {}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    Arguments::parse();
    let (_model, url) = start_model().await?;
    let scratch = tempfile::tempdir()?;
    let service = ServiceOptions::new(scratch.path())
        .with("LLM_INFERENCE_URL", &format!("{url}/chat/completions"))
        .with("LLM_CONTEXT_WINDOW", CONTEXT_WINDOW)
        .start()
        .await?;
    let client = service.client();
    let documents: Vec<Value> = CORPUS
        .iter()
        .map(|(title, text)| json!({"text": text, "metadata": {"title": title}}))
        .collect();
    client.index(INDEX, &documents).await?;
    let mut right = 0;
    for question in &QUESTIONS {
        right += usize::from(is_answered(client, question).await?);
    }
    service.stop().await?;
    println!("\n{right} of {} are right", QUESTIONS.len());
    Ok(if right == QUESTIONS.len() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Starts the model's server on a free port. It ends with the child, or when this program does: then the pipe to its
/// standard input closes.
async fn start_model() -> Result<(Child, String)> {
    let how = ".setup/setup.sh llm";
    let started = Instant::now();
    let mut child = Command::new(installed("llm-venv/bin/python", how)?)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.setup/serve_llm.py"))
        .arg(installed("llm/gemma-3-270m-q4_k_m.gguf", how)?)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("cannot start the model's server")?;
    let stdout = child.stdout.take().context("the child has no standard output")?;
    let mut lines = BufReader::new(stdout).lines();
    loop {
        let line = timeout(LOAD_TIMEOUT, lines.next_line())
            .await
            .context("the model does not load")??;
        let Some(line) = line else {
            bail!("the model's server ended with {}: see above", child.wait().await?)
        };
        if let Some(url) = line.strip_prefix("ready: ") {
            println!("the model was ready after {:.1} s", started.elapsed().as_secs_f64());
            return Ok((child, url.to_owned()));
        }
    }
}

/// Asks with the index and, for comparison, without. Prints both.
async fn is_answered(client: &Client, question: &Question) -> Result<bool> {
    let Question {
        text,
        source,
        fact,
        streamed,
    } = question;
    println!("\nquestion       {text}");
    let alone = ask(client, &body(text)).await?;
    println!("  on its own   {:?}", alone.text);

    let mut grounded = body(text);
    extend(&mut grounded, json!({"index_name": INDEX}));
    let answer = if *streamed {
        ask_streaming(client, grounded).await?
    } else {
        ask(client, &grounded).await?
    };
    let how = if *streamed { "streamed" } else { "whole" };
    println!("  grounded     {:?} ({how}, {:.1} s)", answer.text, answer.seconds);
    println!("  sources      {}", answer.sources.join(", "));
    let right = answer.text.contains(fact) && answer.sources.first().is_some_and(|first| first == source);
    let verdict = if right { "right" } else { "WRONG" };
    println!("  {verdict:<12} {fact:?} from {source:?} is wanted");
    Ok(right)
}

fn body(question: &str) -> Value {
    // The first line: after it, a model that was not taught to stop goes on with questions of its own.
    json!({
        "messages": [{"role": "user", "content": question}],
        "temperature": 0,
        "max_tokens": 40,
        "stop": ["\n"],
    })
}

struct Answer {
    text: String,
    /// Titles of the sources, best first.
    sources: Vec<String>,
    seconds: f64,
}

async fn ask(client: &Client, body: &Value) -> Result<Answer> {
    let started = Instant::now();
    let answer = client.chat(body).await?.success()?;
    let message = answer
        .pointer("/choices/0/message")
        .context("the answer has no message")?;
    Ok(Answer {
        text: text_of(message, "content")?.to_owned(),
        sources: titles(&answer),
        seconds: started.elapsed().as_secs_f64(),
    })
}

async fn ask_streaming(client: &Client, mut body: Value) -> Result<Answer> {
    let started = Instant::now();
    extend(&mut body, json!({"stream": true}));
    let events = client.chat_stream(&body).await?.rest().await?;
    let sources = events
        .iter()
        .filter_map(|event| event.data())
        .flat_map(titles)
        .collect();
    Ok(Answer {
        text: streamed_text(&events, 0),
        sources,
        seconds: started.elapsed().as_secs_f64(),
    })
}

fn titles(answer: &Value) -> Vec<String> {
    let sources = answer.get("source_nodes").and_then(Value::as_array);
    let titles = sources.into_iter().flatten().filter_map(|source| {
        let title = source.pointer("/metadata/title")?;
        Some(title.as_str()?.to_owned())
    });
    titles.collect()
}

fn extend(body: &mut Value, more: Value) {
    if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
        body.extend(more);
    }
}
