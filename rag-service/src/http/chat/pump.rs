//! From a stream of ours to the body of a response.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use futures::stream::BoxStream;
use futures::{StreamExt, stream};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

/// How long a client may leave a stream unread. One that never reads would hold its place among the chats for ever.
const CLIENT_STALL: Duration = Duration::from_secs(60);

/// The body that sends these pieces. At most two wait for the client; when the client leaves, or does not read for a
/// minute, the stream is dropped, and with it the request to the model.
pub(super) fn body(mut pieces: BoxStream<'static, Bytes>) -> Body {
    let (sender, receiver) = mpsc::channel(1);
    let pump = async move {
        while let Some(piece) = pieces.next().await {
            if let Err(error) = sender.send_timeout(piece, CLIENT_STALL).await {
                if matches!(error, mpsc::error::SendTimeoutError::Timeout(_)) {
                    tracing::warn!("a client does not read its stream, the chat is ended");
                }
                break;
            }
        }
    };
    let pump = AbortOnDropHandle::new(tokio::spawn(pump.in_current_span()));
    let pieces = stream::unfold((receiver, pump), async |(mut receiver, pump)| {
        let piece = receiver.recv().await?;
        Some((Ok::<_, Infallible>(piece), (receiver, pump)))
    });
    Body::from_stream(pieces)
}
