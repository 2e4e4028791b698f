//! A cache that knows what was applied a moment ago.
//!
//! A watch tells of an object later than the answer to the request that made it. Whoever looks in between would not see
//! the object, or an older one, and make it again. So what the API server answered is kept until the watch has caught
//! up.

use std::collections::HashMap;
use std::sync::Arc;

use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Resource, ResourceExt};
use parking_lot::Mutex;

/// A cache, and what was applied since.
pub struct Cache<K: Resource<DynamicType = ()> + Clone + 'static> {
    store: Store<K>,
    recent: Arc<Mutex<HashMap<ObjectRef<K>, Arc<K>>>>,
}

impl<K: Resource<DynamicType = ()> + Clone + 'static> Clone for Cache<K> {
    fn clone(&self) -> Self {
        Self {
            store: self.store.clone(),
            recent: Arc::clone(&self.recent),
        }
    }
}

impl<K: Resource<DynamicType = ()> + Clone + 'static> Cache<K> {
    /// A cache over what a watch keeps.
    pub fn new(store: Store<K>) -> Self {
        Self {
            store,
            recent: Arc::default(),
        }
    }

    /// What the watch keeps.
    pub fn store(&self) -> &Store<K> {
        &self.store
    }

    /// The object as it was last known, by the watch or by an answer.
    pub fn get(&self, reference: &ObjectRef<K>) -> Option<Arc<K>> {
        let kept = self.store.get(reference);
        let mut recent = self.recent.lock();
        let Some(applied) = recent.get(reference).cloned() else {
            return kept;
        };
        match kept {
            Some(kept) if version(kept.as_ref()) >= version(applied.as_ref()) => {
                recent.remove(reference);
                Some(kept)
            }
            _ => Some(applied),
        }
    }

    /// The API server has answered that this is how the object is now.
    pub fn remember(&self, object: K) {
        let reference = ObjectRef::from_obj(&object);
        self.recent.lock().insert(reference, Arc::new(object));
    }
}

/// What is to be done when the watch has caught up.
pub trait Outdated<K>: Send + Sync {
    /// An object is gone.
    fn gone(&self, object: &K);

    /// Everything was listed anew.
    fn listed(&self);
}

impl<K> Outdated<K> for Cache<K>
where
    K: Resource<DynamicType = ()> + Clone + Send + Sync + 'static,
{
    fn gone(&self, object: &K) {
        let reference = ObjectRef::from_obj(object);
        let mut recent = self.recent.lock();
        let is_newer = |applied: &Arc<K>| applied.uid() != object.uid() && version(applied.as_ref()) > version(object);
        if recent.get(&reference).is_some_and(|applied| !is_newer(applied)) {
            recent.remove(&reference);
        }
    }

    /// The list may be older than what was applied; then that is applied once more, which does no harm.
    fn listed(&self) {
        self.recent
            .lock()
            .retain(|reference, _| self.store.get(reference).is_some());
    }
}

/// The version of an object; they grow.
fn version<K: Resource>(object: &K) -> u64 {
    object
        .resource_version()
        .and_then(|version| version.parse().ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::core::ObjectMeta;
    use kube::runtime::reflector;
    use kube::runtime::watcher::Event;

    use super::*;

    fn object(uid: &str, version: u64) -> ConfigMap {
        ConfigMap {
            metadata: ObjectMeta {
                name: Some("a".to_owned()),
                namespace: Some("b".to_owned()),
                uid: Some(uid.to_owned()),
                resource_version: Some(version.to_string()),
                ..ObjectMeta::default()
            },
            ..ConfigMap::default()
        }
    }

    #[test]
    fn the_newer_of_what_was_answered_and_what_the_watch_says_counts_until_the_object_is_gone() {
        let (store, mut writer) = reflector::store::<ConfigMap>();
        let cache = Cache::new(store);
        let reference = ObjectRef::new("a").within("b");
        let known = || cache.get(&reference).and_then(|object| object.resource_version());
        assert_eq!(known(), None);
        cache.remember(object("1", 10));
        assert_eq!(known().as_deref(), Some("10"), "the watch has not told yet");
        writer.apply_watcher_event(&Event::Apply(object("1", 9)));
        assert_eq!(known().as_deref(), Some("10"), "it tells of an older one");
        writer.apply_watcher_event(&Event::Apply(object("1", 11)));
        assert_eq!(known().as_deref(), Some("11"));
        cache.remember(object("1", 12));
        writer.apply_watcher_event(&Event::Delete(object("1", 13)));
        cache.gone(&object("1", 13));
        assert_eq!(known(), None, "it was deleted");
        cache.remember(object("2", 20));
        cache.gone(&object("1", 13));
        assert_eq!(known().as_deref(), Some("20"), "the one that is gone was another one");
    }
}
