//! A body in steps: what is sent in which pieces, what is waited for, and how it ends.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use futures::stream;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::gate::Gate;
use super::recording::Flight;

const DONE: &[u8] = b"data: [DONE]\n\n";

/// Steps of a body. Each sent piece is a chunk of its own on the wire.
#[derive(Clone, Debug, Default)]
pub struct Script {
    steps: Vec<Step>,
}

#[derive(Clone, Debug)]
enum Step {
    Send(Bytes),
    Pass(Gate),
    Wait(Duration),
    Hang,
    Disconnect,
}

/// Steps.
impl Script {
    /// No steps: an empty body.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sends an event: `data: {…}` and an empty line.
    #[must_use]
    pub fn event(self, data: &Value) -> Self {
        self.raw(format!("data: {data}\n\n"))
    }

    /// Sends one event after the other.
    #[must_use]
    pub fn events(self, data: impl IntoIterator<Item = Value>) -> Self {
        data.into_iter().fold(self, |script, data| script.event(&data))
    }

    /// Sends `data: [DONE]`.
    #[must_use]
    pub fn done(self) -> Self {
        self.raw(DONE)
    }

    /// Sends a comment, as servers do to keep a connection alive.
    #[must_use]
    pub fn comment(self, text: &str) -> Self {
        self.raw(format!(": {text}\n\n"))
    }

    /// Sends bytes as they are.
    #[must_use]
    pub fn raw(self, bytes: impl Into<Bytes>) -> Self {
        self.step(Step::Send(bytes.into()))
    }

    /// Waits until the gate lets it through.
    #[must_use]
    pub fn pass(self, gate: &Gate) -> Self {
        self.step(Step::Pass(gate.clone()))
    }

    /// Waits for a time. For demonstrations; tests use gates.
    #[must_use]
    pub fn wait(self, time: Duration) -> Self {
        self.step(Step::Wait(time))
    }

    /// Sends nothing more and does not end.
    #[must_use]
    pub fn hang(self) -> Self {
        self.step(Step::Hang)
    }

    /// Drops the connection. What was sent before arrives, the end of the body does not; before the first piece not even
    /// the status line does.
    #[must_use]
    pub fn disconnect(self) -> Self {
        self.step(Step::Disconnect)
    }

    fn step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }
}

/// Changes to all steps so far.
impl Script {
    /// Waits for the gate before each piece.
    #[must_use]
    pub fn gated(self, gate: &Gate) -> Self {
        self.before_each_piece(&Step::Pass(gate.clone()))
    }

    /// Waits for a time before each piece. For demonstrations; tests use gates.
    #[must_use]
    pub fn paced(self, time: Duration) -> Self {
        self.before_each_piece(&Step::Wait(time))
    }

    /// Puts a comment before each piece.
    #[must_use]
    pub fn commented(self, text: &str) -> Self {
        self.before_each_piece(&Step::Send(Bytes::from(format!(": {text}\n\n"))))
    }

    /// Ends lines with CR LF.
    #[must_use]
    pub fn crlf(self) -> Self {
        self.flat_map(|step| match step {
            Step::Send(bytes) => {
                let text = String::from_utf8_lossy(&bytes).replace('\n', "\r\n");
                vec![Step::Send(Bytes::from(text))]
            }
            step => vec![step],
        })
    }

    /// Leaves `data: [DONE]` out.
    #[must_use]
    pub fn without_done(self) -> Self {
        self.flat_map(|step| match step {
            Step::Send(bytes) if bytes.trim_ascii() == DONE.trim_ascii() => Vec::new(),
            step => vec![step],
        })
    }

    /// Sends the same bytes in pieces of `size` (at least 1), wherever that cuts events, lines or characters.
    #[must_use]
    pub fn split_every(self, size: usize) -> Self {
        self.joined().flat_map(|step| match step {
            Step::Send(bytes) => bytes
                .chunks(size.max(1))
                .map(|piece| Step::Send(Bytes::copy_from_slice(piece)))
                .collect(),
            step => vec![step],
        })
    }

    /// Sends as one piece what nothing is waited for in between.
    #[must_use]
    pub fn joined(self) -> Self {
        let mut joined = Self::new();
        let mut pending = BytesMut::new();
        for step in self.steps {
            if let Step::Send(bytes) = step {
                pending.extend_from_slice(&bytes);
                continue;
            }
            if !pending.is_empty() {
                joined = joined.raw(pending.split());
            }
            joined = joined.step(step);
        }
        if pending.is_empty() {
            joined
        } else {
            joined.raw(pending)
        }
    }

    /// Drops the connection after `pieces` pieces.
    #[must_use]
    pub fn disconnect_after(self, pieces: usize) -> Self {
        self.only(pieces).disconnect()
    }

    /// Falls silent after `pieces` pieces.
    #[must_use]
    pub fn hang_after(self, pieces: usize) -> Self {
        self.only(pieces).hang()
    }

    fn only(mut self, pieces: usize) -> Self {
        let mut sent = 0;
        self.steps.retain(|step| {
            let keep = sent < pieces;
            sent += usize::from(matches!(step, Step::Send(_)));
            keep
        });
        self
    }

    fn before_each_piece(self, before: &Step) -> Self {
        self.flat_map(|step| match step {
            Step::Send(_) => vec![before.clone(), step],
            step => vec![step],
        })
    }

    fn flat_map(self, change: impl FnMut(Step) -> Vec<Step>) -> Self {
        Self {
            steps: self.steps.into_iter().flat_map(change).collect(),
        }
    }

    /// The body that takes these steps. It ends with a dropped connection when the server stops.
    pub(super) fn into_body(self, flight: Flight, stop: CancellationToken) -> Body {
        let play = Play {
            steps: self.steps.into(),
            started: false,
            flight,
            stop,
        };
        Body::from_stream(stream::unfold(play, |mut play| async move {
            let piece = play.next().await?;
            Some((piece, play))
        }))
    }
}

struct Play {
    steps: VecDeque<Step>,
    /// Whether a piece was sent.
    started: bool,
    flight: Flight,
    stop: CancellationToken,
}

impl Play {
    async fn next(&mut self) -> Option<io::Result<Bytes>> {
        let stop = self.stop.clone();
        tokio::select! {
            biased;
            () = stop.cancelled() => Some(self.broken()),
            piece = self.play() => piece,
        }
    }

    async fn play(&mut self) -> Option<io::Result<Bytes>> {
        loop {
            // The connection writes out what it has whenever this is not ready, so no piece joins the one before it and
            // none is lost in the buffer when the connection is dropped. A drop before the first piece loses the status
            // line on purpose.
            if self.started {
                tokio::task::yield_now().await;
            }
            match self.steps.pop_front() {
                Some(Step::Send(bytes)) => {
                    self.started = true;
                    self.flight.sent_chunk();
                    // At once, not when the connection asks again: a client may leave after the last piece.
                    if self.steps.is_empty() {
                        self.flight.finish();
                    }
                    return Some(Ok(bytes));
                }
                Some(Step::Pass(gate)) => gate.pass().await,
                Some(Step::Wait(time)) => tokio::time::sleep(time).await,
                Some(Step::Hang) => std::future::pending().await,
                Some(Step::Disconnect) => return Some(self.broken()),
                None => {
                    self.flight.finish();
                    return None;
                }
            }
        }
    }

    /// An error makes the connection close without the end of the body.
    fn broken(&mut self) -> io::Result<Bytes> {
        self.steps.clear();
        self.flight.finish();
        Err(io::Error::other("the test drops the connection here"))
    }
}
