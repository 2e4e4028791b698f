//! A stream that is only handed through, byte for byte.

use axum::body::Bytes;
use axum::response::Response;
use futures::{StreamExt, stream};

use super::stream::{DONE, error_event, event_stream};
use super::{Exchange, pump};
use crate::llm::ByteStream;

/// The backend's bytes as they come. Should it break off, the client is told in an event of its own.
pub(super) async fn respond(bytes: ByteStream, exchange: Exchange) -> Response {
    let handed_through = stream::unfold(Some((bytes, exchange)), async |state| {
        let (mut bytes, exchange) = state?;
        match bytes.next().await? {
            Ok(piece) => Some((piece, Some((bytes, exchange)))),
            Err(error) => {
                tracing::warn!(%error, "a stream broke off");
                // The empty line closes whatever event was being sent.
                let last = [b"\n\n".as_slice(), &error_event(&error), DONE].concat();
                Some((Bytes::from(last), None))
            }
        }
    });
    event_stream(pump::body(handed_through.boxed()).await)
}
