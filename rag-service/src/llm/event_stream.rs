//! Server-sent events as chunks of a completion.

use bytes::Bytes;
use eventsource_stream::{EventStreamError, Eventsource};
use futures::{Stream, StreamExt, TryStreamExt, future, stream};
use reqwest::Response;
use serde_json::Value;

use super::{Completion, ModelError};

/// Largest event. It has to be in memory at once; chunks are small.
const MAX_EVENT_BYTES: usize = 4 << 20;
const DONE: &str = "[DONE]";

/// The chunks of an answer. The stream ends at `[DONE]`; when the response ends without it, the last item is
/// [`ModelError::BreakOff`]. Reads on only when asked for the next one.
pub(super) fn completions(response: Response) -> impl Stream<Item = Result<Completion, ModelError>> {
    let bytes = response
        .bytes_stream()
        .map_err(|error| ModelError::from_transport(&error));
    chunks(bytes)
}

fn chunks(bytes: impl Stream<Item = Result<Bytes, ModelError>>) -> impl Stream<Item = Result<Completion, ModelError>> {
    let mut event = OpenEvent::default();
    let bounded = bytes.and_then(move |bytes| future::ready(event.grow(&bytes).map(|()| bytes)));
    stream::unfold(Some(Box::pin(bounded.eventsource())), async |events| {
        let mut events = events?;
        loop {
            match events.next().await {
                Some(Ok(event)) if event.data == DONE => return None,
                Some(event) => {
                    if let Some(chunk) = read(event).transpose() {
                        return Some((chunk, Some(events)));
                    }
                }
                None => return Some((Err(ModelError::BreakOff), None)),
            }
        }
    })
}

/// `None` for events without data: comments keep a connection open and say nothing.
fn read(
    event: Result<eventsource_stream::Event, EventStreamError<ModelError>>,
) -> Result<Option<Completion>, ModelError> {
    let event = event.map_err(|error| match error {
        EventStreamError::Transport(error) => error,
        EventStreamError::Utf8(_) | EventStreamError::Parser(_) => ModelError::Decode,
    })?;
    if event.data.is_empty() {
        return Ok(None);
    }
    match serde_json::from_str(&event.data) {
        Ok(Value::Object(chunk)) => Ok(Some(chunk)),
        Ok(_) | Err(_) => Err(ModelError::Decode),
    }
}

/// Counts the bytes of the event that is being received: events end with an empty line.
#[derive(Default)]
struct OpenEvent {
    bytes: usize,
    line_is_empty: bool,
}

impl OpenEvent {
    fn grow(&mut self, received: &[u8]) -> Result<(), ModelError> {
        for byte in received {
            self.bytes += 1;
            match byte {
                b'\n' if self.line_is_empty => self.bytes = 0,
                b'\n' => self.line_is_empty = true,
                b'\r' => {}
                _ => self.line_is_empty = false,
            }
        }
        if self.bytes > MAX_EVENT_BYTES {
            return Err(ModelError::Exceed);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;
    use futures::stream;

    use super::*;

    fn read_all(pieces: &[&str]) -> Vec<Result<Completion, ModelError>> {
        let pieces: Vec<Result<Bytes, ModelError>> = pieces
            .iter()
            .map(|piece| Ok(Bytes::copy_from_slice(piece.as_bytes())))
            .collect();
        block_on(chunks(stream::iter(pieces)).collect())
    }

    #[test]
    fn events_are_read_across_any_boundary_until_done() {
        let text =
            ": keep-alive\n\ndata: {\"a\":\"ä\"}\r\n\r\ndata: {\"b\":\ndata: 2}\n\ndata: [DONE]\n\ndata: {\"c\":3}\n\n";
        for cut in (1..text.len()).filter(|cut| text.is_char_boundary(*cut)) {
            let (before, after) = text.split_at(cut);
            let found: Vec<String> = read_all(&[before, after])
                .into_iter()
                .map(|chunk| Value::Object(chunk.unwrap()).to_string())
                .collect();
            assert_eq!(found, ["{\"a\":\"ä\"}", "{\"b\":2}"], "cut at {cut}");
        }
    }

    #[test]
    fn what_is_no_json_object_is_an_error() {
        for text in ["data: hello\n\n", "data: [1]\n\n", "data: {\"a\":\n\n"] {
            assert!(
                matches!(read_all(&[text]).as_slice(), [Err(ModelError::Decode), ..]),
                "{text}"
            );
        }
    }

    #[test]
    fn an_end_without_done_is_told_apart() {
        let found = read_all(&["data: {\"a\":1}\n\n"]);
        assert!(matches!(found.as_slice(), [Ok(_), Err(ModelError::BreakOff)]));
    }

    #[test]
    fn an_event_without_an_end_is_given_up() {
        let line = format!("data: {}\n", "x".repeat(1 << 20));
        let found = read_all(&[line.as_str(); 5]);
        assert!(matches!(found.as_slice(), [Err(ModelError::Exceed), ..]));
    }
}
