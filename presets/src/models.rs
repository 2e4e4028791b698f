//! `data/models`: language models, and how each is served and tuned.
//!
//! `catalogue.yaml` holds what a model's authors published. A [`Model`] is that and everything that follows from it by
//! the rules of `rules.yaml`. Models outside of the catalogue are made by the same rules from what the hub says; whoever
//! wants one asks the hub, nothing here does.

mod base_image;
mod catalogue;
mod config_json;
mod facts;
mod model;
mod parameters;
mod rules;
mod runtimes;

pub use base_image::BaseImage;
pub use catalogue::{ModelCatalogue, ModelSources, Resolution};
pub use config_json::{GenerateModelError, HubFile, HubModel};
pub use facts::{Attention, AttentionKind, ModelFacts, Quantisation, WeightFormat};
pub use model::Model;
pub use parameters::{RunParameter, RunParameters};
pub use runtimes::Tuning;
