//! One task a kind: it keeps the cache, and says which engines are concerned by what has changed in it.

use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;

use kube::runtime::reflector::store::Writer;
use kube::runtime::reflector::{Lookup, ObjectRef, Store};
use kube::{Client, Resource};
use serde::de::DeserializeOwned;
use tokio::task::JoinSet;

use super::{Caches, Guarded};
use crate::ragengine::triggers::{self, Trigger};
use crate::watch::{self, Cache, Listener, Outdated, Served, Serving, Source};

/// Which engines an object concerns.
pub(super) type Concerns<K> = fn(&K, &Caches) -> Vec<ObjectRef<Guarded>>;

/// A cache that is not filled yet.
pub(super) fn empty<K>(dynamic_type: K::DynamicType) -> (Store<K>, Writer<K>)
where
    K: Lookup + Clone + 'static,
    K::DynamicType: Clone + Eq + Hash,
{
    let writer = Writer::new(dynamic_type);
    (writer.as_reader(), writer)
}

/// Passes on which engines a change concerns.
struct Passing<K> {
    trigger: Trigger,
    caches: Arc<Caches>,
    concerns: Concerns<K>,
    outdated: Option<Box<dyn Outdated<K>>>,
}

impl<K: Sync> Listener<K> for Passing<K> {
    fn gone(&self, object: &K) {
        if let Some(outdated) = &self.outdated {
            outdated.gone(object);
        }
    }

    fn listed(&self) {
        if let Some(outdated) = &self.outdated {
            outdated.listed();
        }
    }

    async fn changed(&self, object: &K) {
        self.trigger.send(|| (self.concerns)(object, &self.caches)).await;
    }
}

/// The tasks.
pub(super) struct Watchers {
    client: Client,
    trigger: Trigger,
    caches: Arc<Caches>,
    tasks: JoinSet<()>,
}

impl Watchers {
    pub(super) fn new(client: &Client, trigger: &Trigger, caches: &Arc<Caches>) -> Self {
        Self {
            client: client.clone(),
            trigger: trigger.clone(),
            caches: Arc::clone(caches),
            tasks: JoinSet::new(),
        }
    }

    pub(super) fn run(self) -> JoinSet<()> {
        self.tasks
    }

    pub(super) fn objects<K>(&mut self, source: Source<K>, mut writer: Writer<K>, concerns: Concerns<K>)
    where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
    {
        let passing = self.passing(concerns);
        self.tasks.spawn(async move {
            watch::objects(source, &mut writer, &(), &passing).await;
        });
    }

    /// Objects that we apply: what was applied counts until the watch knows it.
    pub(super) fn applied<K>(&mut self, source: Source<K>, mut writer: Writer<K>, cache: &Cache<K>)
    where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
    {
        let mut passing = self.passing(triggers::owner::<K>);
        passing.outdated = Some(Box::new(cache.clone()));
        self.tasks.spawn(async move {
            watch::objects(source, &mut writer, &(), &passing).await;
        });
    }

    /// Watches a kind while the cluster has its definition.
    pub(super) fn optional<K>(&mut self, optional: Optional<K>, source: Source<K>, concerns: Concerns<K>)
    where
        K: Resource + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
        <K as Resource>::DynamicType: Clone + Debug + Eq + Hash + Send + Sync,
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

    fn passing<K>(&self, concerns: Concerns<K>) -> Passing<K> {
        Passing {
            trigger: self.trigger.clone(),
            caches: Arc::clone(&self.caches),
            concerns,
            outdated: None,
        }
    }
}

/// A kind that the cluster may not have.
pub(super) struct Optional<K: Lookup + Clone + 'static>
where
    K::DynamicType: Clone + Eq + Hash,
{
    /// Name of its definition.
    pub(super) definition: &'static str,
    /// Who finds out.
    pub(super) serving: Serving,
    /// Whether it is served.
    pub(super) served: Served,
    /// How it is asked for.
    pub(super) dynamic_type: K::DynamicType,
    /// Its cache.
    pub(super) writer: Writer<K>,
}
