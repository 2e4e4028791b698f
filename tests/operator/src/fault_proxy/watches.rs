//! Watches that run through the proxy, and how they are ended.

use std::io;

use axum::body::{Body, BodyDataStream};
use axum::response::Response;
use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use serde_json::json;
use tokio::select;
use tokio::sync::broadcast::{self, Receiver, Sender};

use super::reply::Reply;

/// More faults than a test makes before a watch has noticed the first.
const QUEUE: usize = 16;

#[derive(Clone, Copy, Debug)]
enum Interruption {
    Close,
    Expire,
}

/// Each running watch is a receiver.
pub(super) struct Watches(Sender<Interruption>);

impl Watches {
    pub(super) fn new() -> Self {
        Self(broadcast::channel(QUEUE).0)
    }

    pub(super) fn close(&self) {
        self.interrupt(Interruption::Close);
    }

    pub(super) fn expire(&self) {
        self.interrupt(Interruption::Expire);
    }

    pub(super) fn running(&self) -> usize {
        self.0.receiver_count()
    }

    /// Makes an answer one that can be interrupted.
    pub(super) fn run(&self, response: Response) -> Response {
        let interruptions = self.0.subscribe();
        response.map(|body| Body::from_stream(interruptible(body.into_data_stream(), interruptions)))
    }

    fn interrupt(&self, interruption: Interruption) {
        // Fails when no watch runs.
        let _ = self.0.send(interruption);
    }
}

struct Watch {
    events: BodyDataStream,
    interruptions: Receiver<Interruption>,
    /// An event is a line, and may come in pieces.
    is_between_events: bool,
    expires: bool,
}

fn interruptible(
    events: BodyDataStream,
    interruptions: Receiver<Interruption>,
) -> impl Stream<Item = io::Result<Bytes>> {
    let watch = Watch {
        events,
        interruptions,
        is_between_events: true,
        expires: false,
    };
    stream::unfold(Some(watch), async |watch| watch?.next().await)
}

impl Watch {
    /// What goes on to the client, and the watch unless that was the last of it.
    async fn next(mut self) -> Option<(io::Result<Bytes>, Option<Self>)> {
        loop {
            if self.expires && self.is_between_events {
                return Some((Ok(expired()), None));
            }
            select! {
                // An interruption that has been asked for comes before events that come later.
                biased;
                interruption = self.interruptions.recv() => match interruption {
                    Ok(Interruption::Expire) => self.expires = true,
                    // The client's connection is cut in the midst of an answer.
                    Ok(Interruption::Close) | Err(_) => return Some((Err(io::Error::other("cut")), None)),
                },
                events = self.events.next() => {
                    let events = events?.map_err(io::Error::other);
                    if let Ok(events) = &events {
                        self.is_between_events = events.ends_with(b"\n");
                    }
                    return Some((events, Some(self)));
                }
            }
        }
    }
}

fn expired() -> Bytes {
    let event = json!({"type": "ERROR", "object": Reply::gone().status()});
    Bytes::from(format!("{event}\n"))
}

#[cfg(test)]
mod tests {
    use futures::channel::mpsc;

    use super::*;

    #[tokio::test]
    async fn the_expiry_waits_for_the_end_of_an_event() {
        let watches = Watches::new();
        let (send, receive) = mpsc::unbounded::<io::Result<Bytes>>();
        let mut body = watches
            .run(Response::new(Body::from_stream(receive)))
            .into_body()
            .into_data_stream();
        send.unbounded_send(Ok(Bytes::from_static(b"{\"type\":"))).unwrap();
        assert_eq!(body.next().await.unwrap().unwrap(), "{\"type\":");
        watches.expire();
        send.unbounded_send(Ok(Bytes::from_static(b"\"ADDED\"}\n"))).unwrap();
        assert_eq!(body.next().await.unwrap().unwrap(), "\"ADDED\"}\n");
        let last = body.next().await.unwrap().unwrap();
        assert!(last.starts_with(b"{\"type\":\"ERROR\""), "{last:?}");
        assert!(body.next().await.is_none());
        assert_eq!(watches.running(), 0);
    }

    #[tokio::test]
    async fn a_closed_watch_ends_with_an_error() {
        let watches = Watches::new();
        let (_send, receive) = mpsc::unbounded::<io::Result<Bytes>>();
        let mut body = watches
            .run(Response::new(Body::from_stream(receive)))
            .into_body()
            .into_data_stream();
        assert_eq!(watches.running(), 1);
        watches.close();
        assert!(body.next().await.unwrap().is_err());
    }
}
