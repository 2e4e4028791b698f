//! Objects by phase.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta};
use parking_lot::Mutex;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::register;
use crate::conditions::find;

/// What an object is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
#[expect(non_camel_case_types, reason = "variant names are the label values on the wire")]
pub enum Phase {
    /// It is ready.
    succeeded,
    /// It is not ready, for a reason.
    error,
    /// Nothing is said of it yet.
    pending,
    /// It is being deleted.
    deleting,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PhaseLabel {
    phase: Phase,
}

impl Phase {
    const ALL: [Self; 4] = [Self::succeeded, Self::error, Self::pending, Self::deleting];

    /// What an object is at whose condition `type_` says whether it is ready. One that is not counts as an error, also
    /// while it is on its way, as in KAITO.
    pub(crate) fn of(metadata: &ObjectMeta, conditions: Option<&Vec<Condition>>, type_: &str) -> Self {
        if metadata.deletion_timestamp.is_some() {
            return Self::deleting;
        }
        match find(conditions, type_).map(|condition| condition.status.as_str()) {
            Some("True") => Self::succeeded,
            Some("False") => Self::error,
            _ => Self::pending,
        }
    }
}

type Look = Box<dyn Fn() -> Vec<Phase> + Send>;

/// How many objects of a kind are at each phase. They are counted when somebody asks.
#[derive(Clone)]
pub(super) struct PhaseGauges {
    gauges: Family<PhaseLabel, Gauge>,
    look: Arc<Mutex<Option<Look>>>,
}

impl PhaseGauges {
    pub(super) fn register(registry: &mut Registry, name: &str, help: &str) -> Self {
        Self {
            gauges: register(registry, name, help, Family::default()),
            look: Arc::default(),
        }
    }

    /// Says what all objects are at.
    pub(super) fn look_with(&self, look: impl Fn() -> Vec<Phase> + Send + 'static) {
        *self.look.lock() = Some(Box::new(look));
    }

    /// Counts anew.
    pub(super) fn sample(&self) {
        if let Some(look) = self.look.lock().as_ref() {
            self.set(&look());
        }
    }

    /// Tells how many there are at each phase.
    pub(super) fn set(&self, phases: &[Phase]) {
        for phase in Phase::ALL {
            let count = phases.iter().filter(|one| **one == phase).count();
            let gauge = self.gauges.get_or_create(&PhaseLabel { phase });
            gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }
}
