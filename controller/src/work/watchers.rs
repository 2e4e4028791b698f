//! One task a kind: it keeps the cache, and says which objects are concerned by what has changed in it.

use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;

use kube::runtime::reflector::store::Writer;
use kube::runtime::reflector::{Lookup, Store};
use kube::{Client, Resource};
use serde::de::DeserializeOwned;
use tokio::task::JoinSet;

use super::queue::{Concerned, Trigger, owner};
use crate::watch::{self, Cache, Listener, Outdated, Served, Serving, Source};

/// Which objects of kind `K` another object concerns, as caches `C` tell.
pub(crate) type Concerns<O, C, K> = fn(&O, &C) -> Concerned<K>;

/// A cache that is not filled yet.
pub(crate) fn empty<O>(dynamic_type: O::DynamicType) -> (Store<O>, Writer<O>)
where
    O: Lookup + Clone + 'static,
    O::DynamicType: Clone + Eq + Hash,
{
    let writer = Writer::new(dynamic_type);
    (writer.as_reader(), writer)
}

/// Passes on which objects a change concerns.
struct Passing<O, C, K: Resource<DynamicType = ()>> {
    trigger: Trigger<K>,
    caches: Arc<C>,
    concerns: Concerns<O, C, K>,
    outdated: Option<Box<dyn Outdated<O>>>,
}

impl<O, C, K> Listener<O> for Passing<O, C, K>
where
    O: Sync,
    C: Send + Sync,
    K: Resource<DynamicType = ()> + Send + Sync,
{
    fn gone(&self, object: &O) {
        if let Some(outdated) = &self.outdated {
            outdated.gone(object);
        }
    }

    fn listed(&self) {
        if let Some(outdated) = &self.outdated {
            outdated.listed();
        }
    }

    async fn changed(&self, object: &O) {
        self.trigger.send(|| (self.concerns)(object, &self.caches)).await;
    }
}

/// The tasks of one controller, whose kind is `K`.
pub(crate) struct Watchers<C, K: Resource<DynamicType = ()>> {
    client: Client,
    trigger: Trigger<K>,
    caches: Arc<C>,
    tasks: JoinSet<()>,
}

impl<C, K> Watchers<C, K>
where
    C: Send + Sync + 'static,
    K: Resource<DynamicType = ()> + Send + Sync + 'static,
{
    /// No task yet.
    pub(crate) fn new(client: &Client, trigger: &Trigger<K>, caches: &Arc<C>) -> Self {
        Self {
            client: client.clone(),
            trigger: trigger.clone(),
            caches: Arc::clone(caches),
            tasks: JoinSet::new(),
        }
    }

    /// The tasks. The watches end with them.
    pub(crate) fn run(self) -> JoinSet<()> {
        self.tasks
    }

    /// Watches objects.
    pub(crate) fn objects<O>(&mut self, source: Source<O>, mut writer: Writer<O>, concerns: Concerns<O, C, K>)
    where
        O: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
    {
        let passing = self.passing(concerns);
        self.tasks.spawn(async move {
            watch::objects(source, &mut writer, &(), &passing).await;
        });
    }

    /// Objects that we apply: what was applied counts until the watch knows it.
    pub(crate) fn applied<O>(&mut self, source: Source<O>, mut writer: Writer<O>, cache: &Cache<O>)
    where
        O: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
    {
        let mut passing = self.passing(owner::<O, C, K>);
        passing.outdated = Some(Box::new(cache.clone()));
        self.tasks.spawn(async move {
            watch::objects(source, &mut writer, &(), &passing).await;
        });
    }

    /// Watches a kind while the cluster has its definition.
    pub(crate) fn optional<O>(&mut self, optional: Optional<O>, source: Source<O>, concerns: Concerns<O, C, K>)
    where
        O: Resource + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
        <O as Resource>::DynamicType: Clone + Debug + Eq + Hash + Send + Sync,
    {
        let Optional {
            definition,
            serving,
            mut served,
            dynamic_type,
            mut writer,
        } = optional;
        self.tasks.spawn(serving.follow(self.client.clone(), definition));
        let passing = self.passing(concerns);
        self.tasks.spawn(async move {
            while served.becomes(true).await {
                tokio::select! {
                    () = watch::objects(source.clone(), &mut writer, &dynamic_type, &passing) => {}
                    _ = served.becomes(false) => {}
                }
            }
        });
    }

    fn passing<O>(&self, concerns: Concerns<O, C, K>) -> Passing<O, C, K> {
        Passing {
            trigger: self.trigger.clone(),
            caches: Arc::clone(&self.caches),
            concerns,
            outdated: None,
        }
    }
}

/// A kind that the cluster may not have.
pub(crate) struct Optional<O: Lookup + Clone + 'static>
where
    O::DynamicType: Clone + Eq + Hash,
{
    /// Name of its definition.
    pub(crate) definition: String,
    /// Who finds out.
    pub(crate) serving: Serving,
    /// Whether it is served.
    pub(crate) served: Served,
    /// How it is asked for.
    pub(crate) dynamic_type: O::DynamicType,
    /// Its cache.
    pub(crate) writer: Writer<O>,
}
