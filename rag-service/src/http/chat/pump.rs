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

/// How long the head of a response waits for the first piece: one write, and one wake-up of the client, instead of two.
const FIRST_PIECE: Duration = Duration::from_millis(1);

/// The body that sends these pieces. At most two wait for the client; when the client leaves, or does not read for a
/// minute, the stream is dropped, and with it the request to the model.
pub(super) async fn body(mut pieces: BoxStream<'static, Bytes>) -> Body {
    let (sender, mut receiver) = mpsc::channel(1);
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
    let first = tokio::time::timeout(FIRST_PIECE, receiver.recv()).await;
    let rest = stream::unfold((receiver, pump), async |(mut receiver, pump)| {
        let piece = receiver.recv().await?;
        Some((piece, (receiver, pump)))
    });
    let pieces = stream::iter(first.ok().flatten()).chain(rest);
    Body::from_stream(pieces.map(Ok::<_, Infallible>))
}
