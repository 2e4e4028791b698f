//! The guardrail policy in use: read from a file, watched, and swapped while requests go on with the one they began with.
//!
//! What a policy means is in the crate `rag-guardrails`. Here is only where it comes from.

mod reload;

use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use kaito_presets::DEFAULT_GUARDRAILS_POLICY;
use parking_lot::Mutex;
use rag_core::error_chain;
use rag_guardrails::openai::GuardReport;
use rag_guardrails::{LoadedPolicy, Outcome, Policy, PolicyError};

pub(crate) use self::reload::watch;
use crate::config::GuardrailsConfig;
use crate::metrics::{ActivePolicy, FinalAction, Metrics, PolicyStatus, ReloadResult};

/// Where policies come from, and the one in use.
pub struct Guardrails {
    path: Option<PathBuf>,
    in_use: ArcSwap<InUse>,
    /// What is wrong with the file, while an earlier policy is in use.
    problem: Mutex<Option<String>>,
    metrics: Arc<Metrics>,
}

enum InUse {
    /// Nothing is scanned, because that is how the service is configured.
    Off,
    Policy(Arc<Policy>),
    /// Guardrails are wanted and there is no policy: nothing may leave.
    Missing,
}

/// Guardrails are enabled and no policy could be read.
#[derive(Debug, thiserror::Error)]
#[error("output guardrails are enabled and their policy cannot be used: {reason}")]
pub struct FindPolicy {
    /// What is wrong with the file.
    pub reason: String,
}

/// The policy's file cannot be used.
#[derive(Debug, thiserror::Error)]
enum ReadPolicy {
    #[error("{path:?} cannot be read")]
    ReadFile {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error(transparent)]
    Parse(#[from] PolicyError),
    /// Using it would switch scanning off.
    #[error("it has no scanner that can be used; to switch scanning off, set OUTPUT_GUARDRAILS_ENABLED to false")]
    FindNoScanner,
    /// Scanners were left out for mistakes in them.
    #[error("{0}")]
    UseScanners(String),
}

/// What is done about a policy of which some scanners cannot be used.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mistakes {
    /// The others are used, as in KAITO: there is nothing better.
    Tolerate,
    /// The policy in use stays.
    Refuse,
}

/// Which part of an answer was scanned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scanned {
    /// What the model said.
    Answer,
    /// The passages beside it.
    Sources,
}

/// State for people: what `/ready` says.
#[derive(Debug)]
pub struct GuardrailsState {
    /// Digest of the policy in use.
    pub policy_sha256: Option<String>,
    /// Scanners of the policy in use.
    pub scanners: usize,
    /// What is wrong with the file.
    pub problem: Option<String>,
}

impl Guardrails {
    /// Reads the policy, or takes the built-in one when no file is named. A file that cannot be used is a warning: until
    /// it can, chats are refused.
    pub fn load(config: &GuardrailsConfig, metrics: Arc<Metrics>) -> Self {
        let guardrails = Self {
            path: config.policy_path(),
            in_use: ArcSwap::from_pointee(InUse::Off),
            problem: Mutex::new(None),
            metrics,
        };
        if !config.output_guardrails_enabled {
            guardrails.announce();
            return guardrails;
        }
        match guardrails.read(Mistakes::Tolerate) {
            Ok(policy) => {
                guardrails.put_in_use(policy);
                if guardrails.problem.lock().is_some() {
                    guardrails.metrics.guardrails().observe_outdated();
                }
            }
            Err(error) => {
                let reason = error_chain(&error);
                tracing::error!(
                    reason,
                    "output_guardrails_policy_load_failed: chats are refused until the policy can be read"
                );
                *guardrails.problem.lock() = Some(reason);
                guardrails.in_use.store(Arc::new(InUse::Missing));
                guardrails.metrics.guardrails().observe_outdated();
                guardrails.announce();
            }
        }
        guardrails
    }

    /// The policy to scan with, `None` when nothing is scanned. A request asks once and keeps the answer.
    ///
    /// # Errors
    /// When guardrails are enabled and no policy could be read.
    pub fn policy(&self) -> Result<Option<Arc<Policy>>, FindPolicy> {
        match self.in_use.load().as_ref() {
            InUse::Off => Ok(None),
            InUse::Policy(policy) => Ok(Some(Arc::clone(policy))),
            InUse::Missing => Err(FindPolicy {
                reason: self.problem.lock().clone().unwrap_or_default(),
            }),
        }
    }

    /// State for people; `None` when guardrails are off.
    pub fn state(&self) -> Option<GuardrailsState> {
        let (policy_sha256, scanners) = match self.in_use.load().as_ref() {
            InUse::Off => return None,
            InUse::Policy(policy) => (Some(policy.sha256().to_owned()), policy.scanner_count()),
            InUse::Missing => (None, 0),
        };
        Some(GuardrailsState {
            policy_sha256,
            scanners,
            problem: self.problem.lock().clone(),
        })
    }

    /// Counts what the scanners found in one answer, and writes it to the audit log: never what the text was.
    pub fn record(&self, response_id: &str, scanned: Scanned, policy: &Policy, report: &GuardReport) {
        let metrics = self.metrics.guardrails();
        if scanned == Scanned::Answer {
            let refused = report.refusal.map(|_| Outcome::Blocked);
            for outcome in report.choices.iter().map(|choice| choice.outcome).chain(refused) {
                metrics.observe_action(match outcome {
                    Outcome::Allowed => FinalAction::allow,
                    Outcome::Redacted => FinalAction::redact,
                    Outcome::Blocked => FinalAction::block,
                });
            }
        }
        metrics.observe_hits(&report.hits);
        if report.refusal.is_some() || !report.hits.is_empty() {
            let scanners: Vec<String> = report
                .hits
                .iter()
                .map(|hit| format!("{}:{}:{}", hit.scanner, hit.action, hit.count))
                .collect();
            tracing::warn!(
                target: "guardrails.audit",
                {
                    response.id = response_id,
                    response.part = ?scanned,
                    action = report.outcome().final_action(),
                    refusal = report.refusal,
                    scanners = scanners.join(" "),
                    policy.sha256 = policy.sha256()
                },
                "output_guardrails_triggered"
            );
        }
    }

    /// Reads the file again. An unusable one leaves the policy in use and is reported everywhere a person may look.
    fn reload(&self) {
        let mistakes = match self.in_use.load().as_ref() {
            InUse::Missing => Mistakes::Tolerate,
            InUse::Off | InUse::Policy(_) => Mistakes::Refuse,
        };
        match self.read(mistakes) {
            Ok(policy) if self.is_in_use(&policy) => {
                self.metrics.guardrails().observe_reload(ReloadResult::noop);
                tracing::debug!("output_guardrails_reload_noop");
            }
            Ok(policy) => {
                self.put_in_use(policy);
                self.metrics.guardrails().observe_reload(ReloadResult::success);
                tracing::info!("output_guardrails_reload_succeeded");
            }
            Err(error) => {
                let reason = error_chain(&error);
                tracing::error!(
                    reason,
                    fallback_action = "keep_current",
                    "output_guardrails_reload_failed: the policy before goes on being used"
                );
                *self.problem.lock() = Some(reason);
                self.metrics.guardrails().observe_reload(ReloadResult::failure);
            }
        }
    }

    fn read(&self, on_mistakes: Mistakes) -> Result<Policy, ReadPolicy> {
        let read = match &self.path {
            None => Policy::parse(DEFAULT_GUARDRAILS_POLICY.as_bytes()).map_err(ReadPolicy::from),
            Some(path) => std::fs::read(path)
                .map_err(|source| ReadPolicy::ReadFile {
                    path: path.clone(),
                    source,
                })
                .and_then(|bytes| Ok(Policy::parse(&bytes)?)),
        };
        let status = match &read {
            Ok(_) => PolicyStatus::success,
            Err(ReadPolicy::ReadFile { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                PolicyStatus::missing
            }
            Err(ReadPolicy::Parse(PolicyError::NotAMapping)) => PolicyStatus::invalid,
            Err(_) => PolicyStatus::load_failed,
        };
        self.metrics.guardrails().observe_load(status);
        let LoadedPolicy { policy, diagnostics } = read?;
        for diagnostic in &diagnostics {
            tracing::warn!(event = diagnostic.event.name(), "guardrail policy: {diagnostic}");
        }
        let mistakes: Vec<String> = diagnostics.iter().map(ToString::to_string).collect();
        let mistakes = mistakes.join("; ");
        if !mistakes.is_empty() && (on_mistakes == Mistakes::Refuse || policy.is_empty()) {
            return Err(ReadPolicy::UseScanners(mistakes));
        }
        if policy.is_empty() {
            return Err(ReadPolicy::FindNoScanner);
        }
        *self.problem.lock() = (!mistakes.is_empty()).then_some(mistakes);
        Ok(policy)
    }

    fn is_in_use(&self, policy: &Policy) -> bool {
        matches!(self.in_use.load().as_ref(), InUse::Policy(current) if current.sha256() == policy.sha256())
    }

    fn put_in_use(&self, policy: Policy) {
        for scanner in policy.scanner_types() {
            self.metrics.guardrails().observe_build(scanner);
        }
        self.in_use.store(Arc::new(InUse::Policy(Arc::new(policy))));
        self.announce();
    }

    fn announce(&self) {
        let in_use = self.in_use.load();
        let policy = match in_use.as_ref() {
            InUse::Policy(policy) => Some(policy),
            InUse::Off | InUse::Missing => None,
        };
        let path = self.path.as_deref().map(std::path::Path::to_string_lossy);
        self.metrics.guardrails().observe_active(&ActivePolicy {
            path: path.as_deref(),
            sha256: policy.map(|policy| policy.sha256()),
            enabled: !matches!(in_use.as_ref(), InUse::Off),
            scanner_count: policy.map_or(0, |policy| policy.scanner_count()),
        });
    }
}
