//! What services tell of their indexes, for `status.indexes`.
//!
//! The number of indexes and passages is known to the service alone, and no watch tells of it, so this one thing is
//! asked for again and again: slowly, a few at a time, and with a write only when a number has changed.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use kaito_api::v1beta1::IndexesStatus;
use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use super::caches::{Caches, Guarded};
use super::status::types;
use crate::conditions::find;
use crate::work::Trigger;

/// How long a service may take to answer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Services that are asked at a time.
const AT_A_TIME: usize = 8;
/// Services that wait to be asked for the first time; more are asked with the next round.
const WAITING: usize = 256;
/// Longest answer that is read.
const LONGEST: usize = 4 << 20;

type Request = (ObjectRef<Guarded>, String);

/// What was told last, by the engine's uid.
pub(super) struct Indexes {
    told: Mutex<HashMap<String, IndexesStatus>>,
    requests: mpsc::Sender<Request>,
}

/// Nothing yet, and where first questions come out.
pub(super) fn indexes() -> (Arc<Indexes>, mpsc::Receiver<Request>) {
    let (requests, receiver) = mpsc::channel(WAITING);
    let indexes = Indexes {
        told: Mutex::default(),
        requests,
    };
    (Arc::new(indexes), receiver)
}

impl Indexes {
    /// What the service of the engine with this uid has told.
    pub(super) fn of(&self, uid: &str) -> Option<IndexesStatus> {
        self.told.lock().get(uid).copied()
    }

    /// The engine's service answers: it is asked soon, if it was not yet.
    pub(super) fn ask(&self, engine: ObjectRef<Guarded>, uid: &str) {
        if self.of(uid).is_none() {
            // When too many wait, the next round asks.
            let _ = self.requests.try_send((engine, uid.to_owned()));
        }
    }

    /// Asks until the task ends: those that became ready now, and all that are ready every `period`.
    pub(super) async fn keep_current(
        self: Arc<Self>,
        caches: Arc<Caches>,
        trigger: Trigger<Guarded>,
        mut requests: mpsc::Receiver<Request>,
        period: Duration,
    ) {
        let client = match reqwest::Client::builder().timeout(TIMEOUT).build() {
            Ok(client) => client,
            Err(error) => {
                tracing::error!(%error, "the number of indexes is not asked for");
                return;
            }
        };
        let mut rounds = interval(period);
        rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let mut all = Vec::new();
            tokio::select! {
                _ = rounds.tick() => all = ready(&caches),
                count = requests.recv_many(&mut all, WAITING) => if count == 0 { return },
            }
            self.forget_others(&caches);
            let answers = futures::stream::iter(all).map(async |(engine, uid)| {
                let told = ask(&client, &engine).await;
                (engine, uid, told)
            });
            let mut answers = std::pin::pin!(answers.buffer_unordered(AT_A_TIME));
            while let Some((engine, uid, told)) = answers.next().await {
                if let Some(told) = told
                    && self.told.lock().insert(uid, told) != Some(told)
                {
                    trigger.send(|| vec![engine]).await;
                }
            }
        }
    }

    fn forget_others(&self, caches: &Caches) {
        let uids: Vec<_> = caches
            .engines
            .state()
            .iter()
            .filter_map(|engine| engine.uid())
            .collect();
        self.told.lock().retain(|uid, _| uids.contains(uid));
    }
}

/// Engines whose service answers.
fn ready(caches: &Caches) -> Vec<Request> {
    let engines = caches.engines.state();
    let decoded = engines
        .iter()
        .filter_map(|engine| engine.0.as_ref().ok().map(|decoded| (engine, decoded)));
    decoded
        .filter(|(_, engine)| {
            let conditions = engine.status.as_ref().and_then(|status| status.conditions.as_ref());
            find(conditions, types::SERVICE).is_some_and(|condition| condition.status == "True")
        })
        .map(|(engine, decoded)| (ObjectRef::from_obj(engine.as_ref()), decoded.uid().unwrap_or_default()))
        .collect()
}

async fn ask(client: &reqwest::Client, engine: &ObjectRef<Guarded>) -> Option<IndexesStatus> {
    let url = format!(
        "http://{}.{}.svc/metrics",
        engine.name,
        engine.namespace.as_deref().unwrap_or_default()
    );
    match read(client, &url).await {
        Ok(text) => counts(&text),
        Err(error) => {
            tracing::debug!(%error, url, "a service does not tell of its indexes");
            None
        }
    }
}

async fn read(client: &reqwest::Client, url: &str) -> Result<String, reqwest::Error> {
    let mut answer = client.get(url).send().await?.error_for_status()?;
    let mut body = Vec::new();
    while let Some(piece) = answer.chunk().await? {
        body.extend_from_slice(&piece);
        if body.len() > LONGEST {
            break;
        }
    }
    Ok(String::from_utf8_lossy(&body).into_owned())
}

/// The two numbers, out of metrics in Prometheus' text format.
fn counts(text: &str) -> Option<IndexesStatus> {
    let gauge = |name: &str| {
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
        line.split_whitespace().next()?.parse::<i64>().ok()
    };
    Some(IndexesStatus {
        count: gauge("rag_index_count")?,
        nodes: gauge("rag_node_count")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_numbers_are_found_among_other_metrics() {
        let text = "# HELP rag_index_count Indexes.\n# TYPE rag_index_count gauge\nrag_index_count 3\nrag_index_counts 9\n\
                    rag_node_count 1200\nrag_other{a=\"b\"} 1\n";
        assert_eq!(counts(text), Some(IndexesStatus { count: 3, nodes: 1200 }));
        assert_eq!(counts("rag_index_count 3\n"), None);
        assert_eq!(counts("rag_index_count x\nrag_node_count 1\n"), None);
    }
}
