//! Kinds that a cluster may not have, such as Karpenter's.

use futures::StreamExt;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::runtime::wait::Condition;
use kube::runtime::{WatchStreamExt, conditions, watcher};
use kube::{Api, Client};
use tokio::sync::watch;

/// Whether a kind is served; nobody knows at first.
#[derive(Clone, Debug)]
pub struct Served(watch::Receiver<Option<bool>>);

/// The one who finds out.
#[derive(Debug)]
pub struct Serving(watch::Sender<Option<bool>>);

/// Both.
pub fn served() -> (Serving, Served) {
    let (sender, receiver) = watch::channel(None);
    (Serving(sender), Served(receiver))
}

impl Served {
    /// Whether it is served now.
    pub fn now(&self) -> bool {
        *self.0.borrow() == Some(true)
    }

    /// Waits until somebody has looked, and tells whether it is served.
    pub async fn known(&self) -> bool {
        let mut state = self.0.clone();
        state
            .wait_for(Option::is_some)
            .await
            .is_ok_and(|state| *state == Some(true))
    }

    /// Waits until it is served, or is not. `false` when nobody looks any more.
    pub async fn becomes(&mut self, served: bool) -> bool {
        self.0.wait_for(|state| *state == Some(served)).await.is_ok()
    }
}

impl Serving {
    /// Watches the definition of this name.
    pub async fn follow(self, client: Client, definition: String) {
        let definitions: Api<CustomResourceDefinition> = Api::all(client);
        let mut found = std::pin::pin!(watcher::watch_object(definitions, &definition).default_backoff());
        while let Some(found) = found.next().await {
            match found {
                Ok(found) => {
                    let established = conditions::is_crd_established().matches_object(found.as_ref());
                    self.0.send_if_modified(|state| {
                        let changed = *state != Some(established);
                        if changed {
                            tracing::info!(definition.name = definition, served = established, "an optional kind");
                        }
                        *state = Some(established);
                        changed
                    });
                }
                Err(error) => {
                    tracing::warn!(error = %super::chain(&error), "the watch of a definition was interrupted");
                }
            }
        }
    }
}
