//! Which objects have to be looked at, and telling the controller.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::Stream;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Resource, ResourceExt};
use tokio::sync::mpsc;

use crate::metrics::Workqueue;

/// Changes that may wait until the controller takes them. When there are more, watches wait.
const WAITING: usize = 1024;

/// Objects that a change concerns.
pub(crate) type Concerned<K> = Vec<ObjectRef<K>>;

/// Tells the controller which objects to look at.
pub(crate) struct Trigger<K: Resource<DynamicType = ()>> {
    open: Arc<AtomicBool>,
    queue: mpsc::Sender<ObjectRef<K>>,
    waiting: Workqueue,
}

impl<K: Resource<DynamicType = ()>> Clone for Trigger<K> {
    fn clone(&self) -> Self {
        Self {
            open: Arc::clone(&self.open),
            queue: self.queue.clone(),
            waiting: self.waiting.clone(),
        }
    }
}

/// A trigger, closed at first, and what comes out of it.
pub(crate) fn trigger<K>(waiting: Workqueue) -> (Trigger<K>, impl Stream<Item = ObjectRef<K>> + Send)
where
    K: Resource<DynamicType = ()> + 'static,
{
    let (queue, receiver) = mpsc::channel(WAITING);
    let trigger = Trigger {
        open: Arc::default(),
        queue,
        waiting,
    };
    let stream = futures::stream::unfold(receiver, async |mut receiver| {
        let next = receiver.recv().await?;
        Some((next, receiver))
    });
    (trigger, stream)
}

impl<K: Resource<DynamicType = ()>> Trigger<K> {
    /// From now on changes are passed on. Until then every object is going to be looked at anyway.
    pub(crate) fn open(&self) {
        self.open.store(true, Ordering::Release);
    }

    /// Passes on which objects a change concerns.
    pub(crate) async fn send(&self, concerned: impl FnOnce() -> Concerned<K>) {
        if !self.open.load(Ordering::Acquire) {
            return;
        }
        for object in concerned() {
            self.waiting.add(&object.to_string());
            if self.queue.send(object).await.is_err() {
                return;
            }
        }
    }
}

impl<K: Resource<DynamicType = ()> + Clone + 'static> Trigger<K> {
    /// Passes on that everything that is known has to be looked at.
    pub(crate) async fn send_all(self, objects: Store<K>) {
        let all = objects.state();
        self.send(|| all.iter().map(|object| ObjectRef::from_obj(object.as_ref())).collect())
            .await;
    }
}

/// The object itself.
pub(crate) fn itself<K: Resource<DynamicType = ()>, C>(object: &K, _: &C) -> Concerned<K> {
    vec![ObjectRef::from_obj(object)]
}

/// The object that another one was made for.
pub(crate) fn owner<O, C, K>(object: &O, _: &C) -> Concerned<K>
where
    O: Resource,
    K: Resource<DynamicType = ()>,
{
    let namespace = object.namespace().unwrap_or_default();
    let owners = object.owner_references().iter();
    owners
        .filter(|owner| owner.kind == K::kind(&()) && owner.controller == Some(true))
        .map(|owner| ObjectRef::new(&owner.name).within(&namespace))
        .collect()
}
