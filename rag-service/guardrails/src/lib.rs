//! Output guardrails: what an answer may not contain, and what becomes of an answer that contains it.
//!
//! A [`Policy`] is read from YAML. It scans complete texts ([`Policy::scan`]) and texts that arrive in pieces
//! ([`Policy::stream`]), with the same result. [`openai`] applies it to the responses of a chat API.
//!
//! Nothing here reads a file, opens a connection, waits or logs; the service does.

mod detector;
mod diagnostic;
mod horizon;
pub mod openai;
mod policy;
mod python_regex;
mod secrets;
mod sensitive;
mod span;
mod stage;
mod stream;
mod streamability;
mod verdict;

pub use detector::{Candidate, Detector};
pub use diagnostic::{Diagnostic, DiagnosticEvent};
pub use policy::{DEFAULT_BLOCK_MESSAGE, LoadedPolicy, Policy, PolicyError};
pub use sensitive::Entity;
pub use stream::{Fed, MAX_PENDING_BYTES, TextStream};
pub use streamability::NotStreamable;
pub use verdict::{Action, Outcome, ScannerHit, ScannerType, Verdict};
