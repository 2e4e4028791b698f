//! What the server was asked, and what became of each request.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::HeaderMap;
use bytes::Bytes;
use serde_json::Value;
use tokio::sync::watch;

/// One request as it arrived. What becomes of it can still change.
#[derive(Clone, Debug)]
pub struct Request {
    /// Path without the query.
    pub path: String,
    /// Headers.
    pub headers: HeaderMap,
    /// Body, byte for byte.
    pub bytes: Bytes,
    /// Body as JSON (`null` when it is not JSON).
    pub body: Value,
    progress: Arc<Progress>,
}

#[derive(Debug, Default)]
struct Progress {
    sent: AtomicUsize,
    finished: AtomicBool,
    cancelled: AtomicBool,
}

impl Request {
    pub(super) fn new(path: &str, headers: HeaderMap, bytes: Bytes) -> Self {
        Self {
            path: path.to_owned(),
            headers,
            body: serde_json::from_slice(&bytes).unwrap_or_default(),
            bytes,
            progress: Arc::default(),
        }
    }

    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Whether the client went away before the end of the answer.
    pub fn cancelled(&self) -> bool {
        self.progress.cancelled.load(Ordering::SeqCst)
    }

    /// Whether the answer was given up to its end, or up to where the server itself broke it off.
    pub fn finished(&self) -> bool {
        self.progress.finished.load(Ordering::SeqCst)
    }

    /// How many chunks of a scripted body were handed to the connection.
    pub fn sent(&self) -> usize {
        self.progress.sent.load(Ordering::SeqCst)
    }
}

/// Completion requests, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All that arrived.
    pub received: usize,
    /// Those being answered.
    pub in_flight: usize,
    /// The most that were being answered at one time.
    pub most_in_flight: usize,
    /// Those answered to the end.
    pub finished: usize,
    /// Those whose client went away before the end.
    pub cancelled: usize,
}

/// The record of one server.
pub(super) struct Board {
    completions: Mutex<Vec<Request>>,
    models: Mutex<Vec<Request>>,
    counts: watch::Sender<Counts>,
}

impl Board {
    pub(super) fn new() -> Self {
        Self {
            completions: Mutex::default(),
            models: Mutex::default(),
            counts: watch::Sender::new(Counts::default()),
        }
    }

    pub(super) fn requests(&self) -> Vec<Request> {
        lock(&self.completions).clone()
    }

    pub(super) fn model_requests(&self) -> Vec<Request> {
        lock(&self.models).clone()
    }

    pub(super) fn counts(&self) -> Counts {
        *self.counts.borrow()
    }

    pub(super) async fn wait_until(&self, wanted: impl FnMut(&Counts) -> bool) -> Counts {
        let mut counts = self.counts.subscribe();
        // An error would mean that the sender is gone, which `self` holds.
        counts.wait_for(wanted).await.map(|counts| *counts).unwrap_or_default()
    }

    pub(super) fn add_model_request(&self, request: Request) {
        lock(&self.models).push(request);
    }

    /// Records a completion request, which is in flight until the guard is dropped.
    pub(super) fn add(self: &Arc<Self>, request: Request) -> Flight {
        let progress = Arc::clone(&request.progress);
        lock(&self.completions).push(request);
        self.counts.send_modify(|counts| {
            counts.received += 1;
            counts.in_flight += 1;
            counts.most_in_flight = counts.most_in_flight.max(counts.in_flight);
        });
        Flight {
            board: Arc::clone(self),
            progress,
        }
    }
}

/// A request in flight. Goes from the handler into the body of the answer; the connection drops either when the client
/// goes away, and dropping it unfinished is how that is noticed.
pub(super) struct Flight {
    board: Arc<Board>,
    progress: Arc<Progress>,
}

impl Flight {
    /// Notes that one more chunk was handed to the connection.
    pub(super) fn sent_chunk(&self) {
        self.progress.sent.fetch_add(1, Ordering::SeqCst);
    }

    /// Notes that nothing is left to send.
    pub(super) fn finish(&self) {
        if !self.progress.finished.swap(true, Ordering::SeqCst) {
            self.board.counts.send_modify(|counts| {
                counts.finished += 1;
                counts.in_flight -= 1;
            });
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        if !self.progress.finished.load(Ordering::SeqCst) {
            self.progress.cancelled.store(true, Ordering::SeqCst);
            self.board.counts.send_modify(|counts| {
                counts.cancelled += 1;
                counts.in_flight -= 1;
            });
        }
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
