//! What the backend says about its models, remembered for a while.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use moka::Expiry;
use moka::future::Cache;
use serde_json::Value;

use super::ModelError;

/// How long the backend may take to list its models. Chats wait for it, so it is short.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How long a failure is remembered, so that not every chat waits for a backend that does not list its models.
const FAILURE_EXPIRY: Duration = Duration::from_secs(10);

/// One model of the backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelFacts {
    /// What requests call it.
    pub id: String,
    /// Its context window in tokens, when the backend says (vLLM's `max_model_len`).
    pub max_model_len: Option<usize>,
}

type Listing = Result<Arc<[ModelFacts]>, ModelError>;

/// Remembers the list; concurrent askers wait for one request.
pub(super) struct Discovery(Cache<(), Listing>);

impl Discovery {
    pub(super) fn new(expiry: Duration) -> Self {
        Self(Cache::builder().max_capacity(1).expire_after(ByOutcome(expiry)).build())
    }

    /// The backend's models, from memory or by `list`. Empty when the backend does not say.
    pub(super) async fn models(&self, list: impl Future<Output = Result<Value, ModelError>>) -> Arc<[ModelFacts]> {
        let listing = self.0.get_with((), async {
            let listed = tokio::time::timeout(TIMEOUT, list)
                .await
                .unwrap_or(Err(ModelError::TimeOut));
            if let Err(error) = &listed {
                tracing::warn!(%error, "the backend does not list its models; the configured context window is used");
            }
            Ok(read(&listed?))
        });
        listing.await.unwrap_or_default()
    }
}

fn read(listing: &Value) -> Arc<[ModelFacts]> {
    let models = listing.get("data").and_then(Value::as_array);
    models
        .into_iter()
        .flatten()
        .filter_map(|model| {
            let length = model.get("max_model_len").and_then(Value::as_u64);
            Some(ModelFacts {
                id: model.get("id")?.as_str()?.to_owned(),
                max_model_len: length
                    .and_then(|length| usize::try_from(length).ok())
                    .filter(|length| *length > 0),
            })
        })
        .collect()
}

struct ByOutcome(Duration);

impl Expiry<(), Listing> for ByOutcome {
    fn expire_after_create(&self, _key: &(), listing: &Listing, _at: Instant) -> Option<Duration> {
        Some(match listing {
            Ok(models) if !models.is_empty() => self.0,
            Ok(_) | Err(_) => FAILURE_EXPIRY.min(self.0),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn entries_without_an_id_are_skipped_and_a_window_is_optional() {
        let listing = json!({"data": [{"id": "a", "max_model_len": 2048}, {"name": "b"}, {"id": "c"}, {"id": "d", "max_model_len": 0}]});
        let found = read(&listing);
        let found: Vec<_> = found
            .iter()
            .map(|model| (model.id.as_str(), model.max_model_len))
            .collect();
        assert_eq!(found, [("a", Some(2048)), ("c", None), ("d", None)]);
        assert!(read(&json!([])).is_empty());
    }
}
