//! Caches that watches keep, and the news of what has changed in them.
//!
//! A watch that was interrupted lists everything anew. What is in the new list, and what was there before and is not any
//! more, is then news, since nobody knows what happened in between.

mod optional;
mod recent;

use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;

use futures::{Stream, StreamExt};
use kube::runtime::reflector::ObjectRef;
use kube::runtime::reflector::store::Writer;
use kube::runtime::watcher::{Config, Event};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;

pub use optional::{Served, Serving, served};
pub use recent::{Cache, Outdated};

/// Who wants to know of changes.
pub trait Listener<K>: Send {
    /// An object was made, changed or deleted, and the cache knows.
    fn changed(&self, object: &K) -> impl Future<Output = ()> + Send;

    /// An object was deleted. [`Listener::changed`] is called, too.
    fn gone(&self, _object: &K) {}

    /// Everything was listed anew. [`Listener::changed`] is called for each object, and for those that are not there
    /// any more.
    fn listed(&self) {}
}

/// Which objects to keep, and what of them.
#[derive(Clone)]
pub struct Source<K> {
    /// Where they are.
    pub api: Api<K>,
    /// Which of them.
    pub selector: Config,
    /// Makes them smaller before they are kept.
    pub slim: fn(&mut K),
}

impl<K> Source<K> {
    /// These objects, with all that is in them.
    pub fn new(api: Api<K>, selector: Config) -> Self {
        Self {
            api,
            selector,
            slim: |_| (),
        }
    }

    /// These objects, made smaller.
    #[must_use]
    pub fn slim(self, slim: fn(&mut K)) -> Self {
        Self { slim, ..self }
    }
}

/// Keeps `writer`'s cache as the API says, and tells `listener` of every change.
pub async fn objects<K>(
    source: Source<K>,
    writer: &mut Writer<K>,
    dynamic_type: &K::DynamicType,
    listener: &impl Listener<K>,
) where
    K: Resource + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
    K::DynamicType: Clone + Eq + Hash + Debug,
{
    let Source { api, selector, slim } = source;
    let events = watcher(api, selector).default_backoff().modify(move |object: &mut K| {
        object.managed_fields_mut().clear();
        slim(object);
    });
    follow(events, writer, dynamic_type, listener).await;
}

async fn follow<K>(
    events: impl Stream<Item = Result<Event<K>, watcher::Error>>,
    writer: &mut Writer<K>,
    dynamic_type: &K::DynamicType,
    listener: &impl Listener<K>,
) where
    K: Resource + Clone + 'static,
    K::DynamicType: Clone + Eq + Hash,
{
    let store = writer.as_reader();
    let is_kept = |object: &K| {
        let reference = ObjectRef::from_obj_with(object, dynamic_type.clone());
        store.get(&reference).is_some()
    };
    let mut before: Vec<Arc<K>> = Vec::new();
    let mut events = std::pin::pin!(events);
    while let Some(event) = events.next().await {
        let event = match event {
            Ok(event) => event,
            Err(error) => {
                let kind = K::kind(dynamic_type).into_owned();
                tracing::warn!(object.kind = kind, error = %chain(&error), "a watch was interrupted and is begun again");
                continue;
            }
        };
        if matches!(event, Event::Init) {
            before = store.state();
        }
        writer.apply_watcher_event(&event);
        match event {
            Event::Apply(object) => listener.changed(&object).await,
            Event::Delete(object) => {
                listener.gone(&object);
                listener.changed(&object).await;
            }
            Event::Init | Event::InitApply(_) => {}
            Event::InitDone => {
                listener.listed();
                let gone = std::mem::take(&mut before)
                    .into_iter()
                    .filter(|object| !is_kept(object));
                for object in gone.chain(store.state()) {
                    listener.changed(&object).await;
                }
            }
        }
    }
}

/// An error and what caused it, in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let words = cause.to_string();
        if !text.ends_with(&words) {
            text = format!("{text}: {words}");
        }
        source = cause.source();
    }
    text
}
