//! How many connections may be open.

use std::future::{Ready, ready};
use std::io;
use std::net::SocketAddr;

use axum_server::Handle;
use axum_server::accept::Accept;
use futures::future::Either;

/// An API server keeps one or two; there are few API servers.
const CONNECTIONS: usize = 256;

/// Refuses connections when too many are open.
#[derive(Clone)]
pub(super) struct Limited<A> {
    inner: A,
    handle: Handle<SocketAddr>,
}

impl<A> Limited<A> {
    pub(super) fn new(inner: A, handle: Handle<SocketAddr>) -> Self {
        Self { inner, handle }
    }
}

impl<A, I, S> Accept<I, S> for Limited<A>
where
    A: Accept<I, S>,
{
    type Stream = A::Stream;
    type Service = A::Service;
    type Future = Either<A::Future, Ready<io::Result<(A::Stream, A::Service)>>>;

    fn accept(&self, stream: I, service: S) -> Self::Future {
        if self.handle.connection_count() > CONNECTIONS {
            tracing::warn!(
                limit = CONNECTIONS,
                "too many connections to the webhooks; refusing one"
            );
            return Either::Right(ready(Err(io::Error::other("too many connections"))));
        }
        Either::Left(self.inner.accept(stream, service))
    }
}
