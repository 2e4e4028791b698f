//! The owner thread with a model that runs only when the test says so.

use std::sync::mpsc;
use std::time::Duration;

use tokio::sync::oneshot;

use super::*;
use crate::InputKind;
use crate::local::call::{Answer, Call};
use crate::local::tokenise::TokenisedText;

/// A test that waits for longer than this has failed.
const LIMIT: Duration = Duration::from_secs(20);

/// Announces each batch by its texts' lengths and waits to be let through.
struct GatedRunner {
    started: mpsc::Sender<Vec<usize>>,
    gate: mpsc::Receiver<Outcome>,
}

enum Outcome {
    /// Every text gets a vector that points along its length.
    Vectors,
    WrongDimension,
    Panic,
}

impl ModelRunner for GatedRunner {
    fn run(&mut self, texts: &[&TokenisedText]) -> Result<Vec<Vec<f32>>, RunFailure> {
        let lengths: Vec<usize> = texts.iter().map(|text| text.tokens()).collect();
        self.started.send(lengths.clone()).expect("the test listens");
        match self.gate.recv().expect("the test decides") {
            Outcome::Vectors => Ok(lengths
                .iter()
                .map(|length| vec![f32::from(u8::try_from(*length).expect("a short text")), 1.0])
                .collect()),
            Outcome::WrongDimension => Ok(vec![vec![1.0]; lengths.len()]),
            Outcome::Panic => panic!("as the test wanted"),
        }
    }
}

struct Bench {
    waiting: Arc<Waiting>,
    counters: Arc<Counters>,
    started: mpsc::Receiver<Vec<usize>>,
    gate: mpsc::Sender<Outcome>,
    thread: Option<JoinHandle<()>>,
}

type Receiver = oneshot::Receiver<Answer>;

impl Bench {
    fn new(max_batch_tokens: usize) -> Self {
        let (started_sender, started) = mpsc::channel();
        let (gate, gate_receiver) = mpsc::channel();
        let (waiting, counters) = (Arc::new(Waiting::new(4)), Arc::new(Counters::default()));
        let owner = Owner {
            runner: Box::new(GatedRunner {
                started: started_sender,
                gate: gate_receiver,
            }),
            waiting: Arc::clone(&waiting),
            counters: Arc::clone(&counters),
            max_batch_tokens,
            dimension: 2,
        };
        let thread = Some(owner.start().expect("a thread"));
        Self {
            waiting,
            counters,
            started,
            gate,
            thread,
        }
    }

    fn call(&self, kind: InputKind, lengths: &[usize]) -> Receiver {
        let (sender, receiver) = oneshot::channel();
        let texts = lengths.iter().map(|length| TokenisedText::of_length(*length)).collect();
        self.waiting
            .push(kind, Call::new(texts, sender))
            .expect("there is room");
        receiver
    }

    /// The next batch's lengths, once the model has it.
    fn next_batch(&self) -> Vec<usize> {
        self.started.recv_timeout(LIMIT).expect("a batch")
    }

    fn let_through(&self, outcome: Outcome) {
        self.gate.send(outcome).expect("the model waits");
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.waiting.close();
        // A model that still waits at the gate sees it closed.
        self.gate = mpsc::channel().0;
        if let Some(thread) = self.thread.take() {
            let _panicked_or_not = thread.join();
        }
    }
}

fn direction(length: f32) -> Vec<f32> {
    let norm = length.hypot(1.0);
    vec![length / norm, 1.0 / norm]
}

fn assert_close(found: &[Vec<f32>], expected: &[Vec<f32>]) {
    let differs = found
        .iter()
        .flatten()
        .zip(expected.iter().flatten())
        .any(|(one, other)| (one - other).abs() > 1e-6);
    assert!(
        found.len() == expected.len() && !differs,
        "{found:?} is not {expected:?}"
    );
}

#[test]
fn callers_who_wait_at_the_same_time_share_a_batch_and_get_their_own_vectors_in_order() {
    let bench = Bench::new(100);
    let first = bench.call(InputKind::Passage, &[9]);
    assert_eq!(bench.next_batch(), [9]);
    let second = bench.call(InputKind::Passage, &[3, 7]);
    let third = bench.call(InputKind::Passage, &[5]);
    bench.let_through(Outcome::Vectors);
    assert_eq!(bench.next_batch(), [7, 5, 3]);
    bench.let_through(Outcome::Vectors);

    assert_close(
        &first.blocking_recv().expect("answered").expect("vectors"),
        &[direction(9.0)],
    );
    assert_close(
        &second.blocking_recv().expect("answered").expect("vectors"),
        &[direction(3.0), direction(7.0)],
    );
    assert_close(
        &third.blocking_recv().expect("answered").expect("vectors"),
        &[direction(5.0)],
    );
    let counts = bench.counters.snapshot();
    assert_eq!(
        counts,
        BatchCounts {
            batches: 2,
            texts: 4,
            padded_tokens: 9 + 21,
            abandoned_texts: 0
        }
    );
}

#[test]
fn a_query_overtakes_the_rest_of_a_big_passage_call() {
    let bench = Bench::new(10);
    let passages = bench.call(InputKind::Passage, &[10, 9, 8]);
    assert_eq!(bench.next_batch(), [10]);
    let query = bench.call(InputKind::Query, &[2]);
    bench.let_through(Outcome::Vectors);
    assert_eq!(bench.next_batch(), [2]);
    bench.let_through(Outcome::Vectors);
    query.blocking_recv().expect("answered").expect("vectors");
    for length in [9, 8] {
        assert_eq!(bench.next_batch(), [length]);
        bench.let_through(Outcome::Vectors);
    }
    assert_eq!(passages.blocking_recv().expect("answered").expect("vectors").len(), 3);
}

#[test]
fn passages_move_on_by_a_batch_even_while_queries_keep_coming() {
    let bench = Bench::new(10);
    let _passages = bench.call(InputKind::Passage, &[10, 9]);
    assert_eq!(bench.next_batch(), [10]);
    let _first_query = bench.call(InputKind::Query, &[2]);
    bench.let_through(Outcome::Vectors);
    assert_eq!(bench.next_batch(), [2]);
    let _second_query = bench.call(InputKind::Query, &[3]);
    bench.let_through(Outcome::Vectors);
    assert_eq!(bench.next_batch(), [9]);
    bench.let_through(Outcome::Vectors);
    assert_eq!(bench.next_batch(), [3]);
    bench.let_through(Outcome::Vectors);
}

#[test]
fn what_a_caller_who_left_had_asked_for_is_not_run() {
    let bench = Bench::new(10);
    let leaving = bench.call(InputKind::Passage, &[10, 9, 8]);
    assert_eq!(bench.next_batch(), [10]);
    let staying = bench.call(InputKind::Passage, &[4]);
    drop(leaving);
    bench.let_through(Outcome::Vectors);
    assert_eq!(bench.next_batch(), [4]);
    bench.let_through(Outcome::Vectors);
    staying.blocking_recv().expect("answered").expect("vectors");
    assert_eq!(bench.counters.snapshot().abandoned_texts, 2);
}

#[test]
fn a_failed_batch_fails_its_callers_and_nobody_else() {
    let bench = Bench::new(10);
    let failing = bench.call(InputKind::Passage, &[10, 9]);
    assert_eq!(bench.next_batch(), [10]);
    bench.let_through(Outcome::WrongDimension);
    assert!(matches!(
        failing.blocking_recv().expect("answered"),
        Err(EmbedError::RunModel(_))
    ));
    let next = bench.call(InputKind::Passage, &[4]);
    assert_eq!(bench.next_batch(), [4]);
    bench.let_through(Outcome::Vectors);
    next.blocking_recv().expect("answered").expect("vectors");
}

#[test]
fn a_panic_in_the_model_ends_the_embedder_and_leaves_nobody_waiting() {
    let bench = Bench::new(10);
    let running = bench.call(InputKind::Passage, &[10]);
    assert_eq!(bench.next_batch(), [10]);
    let waiting = bench.call(InputKind::Passage, &[4]);
    bench.let_through(Outcome::Panic);
    assert!(running.blocking_recv().is_err());
    assert!(waiting.blocking_recv().is_err());
    assert!(matches!(
        bench.waiting.check_room(InputKind::Query),
        Err(EmbedError::Stopped)
    ));
}
