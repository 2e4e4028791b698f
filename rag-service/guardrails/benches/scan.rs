//! What do the shipped output guardrails cost an answer?
//!
//! Corpus: an answer of about 9 kB (2,000 tokens) of prose, code and a table, written out below; the same with an AWS
//! key, a private key and a telephone number in it; each as a whole and in pieces of 4 bytes, which is a token.
//! Reference: counting the tokens of the same answer, by the `token_limit` scanner.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use kaito_presets::DEFAULT_GUARDRAILS_POLICY;
use rag_guardrails::{Outcome, Policy};

const ANSWER_BYTES: usize = 9_000;
const PIECE_BYTES: usize = 4;

const PROSE: &str = "\
## Step {n}: store the index

The service keeps every index in a directory of its own. A snapshot is written next to it first and renamed into place \
when it is complete, so that a reader never sees half of one; see the design notes at https://example.org/docs/storage \
for the order of the calls. Set `STORAGE_PATH` to a volume that survives the pod, and give it at least {n}0 GiB: with \
384 dimensions and 1,000,000 passages the vectors alone take 1.5 GB. If a token of the configuration is missing, the \
service says so at start-up: \"invalid configuration\". Nothing else has to be done on 2024-01-{n} or later.

";

const CODE: &str = "\
```python
def retrieve(client, question: str, top_k: int = {n}) -> list[str]:
    headers = {\"Authorization\": f\"Bearer {token}\"}
    response = client.post(f\"{BASE_URL}/retrieve\", json={\"query\": question, \"max_node_count\": top_k}, headers=headers)
    response.raise_for_status()
    return [node[\"text\"] for node in response.json()[\"results\"] if node[\"score\"] > 0.{n}]
```

";

const TABLE: &str = "\
| Setting | Default | Meaning |
|---|---:|---|
| `EMBEDDING_TYPE` | local | where vectors come from |
| `BATCH_TOKENS` | 1024 | tokens in one batch |
| `commit` | 3f786850e387550fdab836ed7e6dc881de23001b | what was built, release {n} |
| `LLM_ACCESS_SECRET` | none | sent as bearer token |

";

const SECRETS: [&str; 3] = [
    "The key is AKIAQ3EGUZTV7X2M5KDN, rotate it.\n\n",
    "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\n-----END PRIVATE KEY-----\n\n",
    "Call +1 206 555 0100 if that fails.\n\n",
];

fn answer(secrets: &[&str]) -> String {
    let mut answer = String::new();
    for (place, part) in [PROSE, CODE, PROSE, TABLE].into_iter().cycle().enumerate() {
        if answer.len() >= ANSWER_BYTES {
            break;
        }
        answer.push_str(&part.replace("{n}", &(place + 10).to_string()));
        if let Some(secret) = secrets.get(place / 3).filter(|_| place % 3 == 2) {
            answer.push_str(secret);
        }
    }
    answer
}

fn policy(yaml: &str) -> Arc<Policy> {
    let loaded = Policy::parse(yaml.as_bytes()).expect("the policy is valid");
    Arc::new(loaded.policy)
}

fn streamed(policy: &Arc<Policy>, pieces: &[&str]) -> String {
    let mut stream = policy.stream();
    let mut shown = String::new();
    for piece in pieces {
        shown.push_str(&stream.feed(piece).text);
    }
    shown.push_str(&stream.finish().text);
    shown
}

fn pieces(text: &str) -> Vec<&str> {
    let ends = (PIECE_BYTES..text.len()).step_by(PIECE_BYTES).chain([text.len()]);
    let starts = (0..text.len()).step_by(PIECE_BYTES);
    starts
        .zip(ends)
        .filter_map(|(start, end)| text.get(start..end))
        .collect()
}

fn shortest(runs: u32, mut run: impl FnMut()) -> Duration {
    (0..runs)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed()
        })
        .min()
        .unwrap_or_default()
}

fn scan(criterion: &mut Criterion) {
    let shipped = policy(DEFAULT_GUARDRAILS_POLICY);
    let counting = policy("scanners: [{type: token_limit, limit: 1000000}]");
    let clean = answer(&[]);
    let leaking = answer(&SECRETS);
    assert_eq!(
        shipped.scan(&clean).outcome,
        Outcome::Allowed,
        "the clean answer is clean"
    );
    let hits: usize = shipped.scan(&leaking).hits.iter().map(|hit| hit.count).sum();
    assert_eq!(hits, SECRETS.len(), "each secret is found once");

    let reference = shortest(50, || drop(black_box(counting.scan(black_box(&clean)))));
    for (name, text) in [("clean", &clean), ("three secrets", &leaking)] {
        let pieces = pieces(text);
        assert_eq!(streamed(&shipped, &pieces), shipped.scan(text).text);
        let whole = shortest(50, || drop(black_box(shipped.scan(black_box(text)))));
        let in_pieces = shortest(10, || drop(black_box(streamed(&shipped, black_box(&pieces)))));
        println!(
            "{name}, {} bytes: whole {whole:?} ({:.1} times counting its tokens, {reference:?}), streamed {in_pieces:?} \
             ({:.1} times)",
            text.len(),
            whole.as_secs_f64() / reference.as_secs_f64(),
            in_pieces.as_secs_f64() / reference.as_secs_f64(),
        );
        criterion.bench_function(&format!("whole/{name}"), |bencher| {
            bencher.iter(|| shipped.scan(black_box(text)))
        });
        criterion.bench_function(&format!("streamed/{name}"), |bencher| {
            bencher.iter(|| streamed(&shipped, black_box(&pieces)));
        });
    }
    criterion.bench_function("reference/count tokens", |bencher| {
        bencher.iter(|| counting.scan(black_box(&clean)))
    });
}

criterion_group!(benches, scan);
criterion_main!(benches);
