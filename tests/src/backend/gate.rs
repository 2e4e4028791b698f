//! What a streamed answer waits for until the test lets it go on.

use std::sync::Arc;

use tokio::sync::Semaphore;

/// Lets as many chunks (or answers) through as the test has released. Clones are the same gate.
#[derive(Clone, Debug)]
pub struct Gate(Arc<Semaphore>);

impl Gate {
    /// A gate that lets nothing through yet.
    pub fn closed() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }

    /// Lets `n` more through.
    pub fn release(&self, n: usize) {
        self.0.add_permits(n);
    }

    /// Lets everything through from now on.
    pub fn open(&self) {
        self.0.close();
    }

    pub(super) async fn pass(&self) {
        // An error means that the gate was opened for good.
        if let Ok(permit) = self.0.acquire().await {
            permit.forget();
        }
    }
}
