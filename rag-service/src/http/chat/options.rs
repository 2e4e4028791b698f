//! The members of a chat's body that are ours, not OpenAI's.

use rag_core::chat::context::Threshold;
use rag_core::index_name::IndexName;
use serde_json::{Map, Value};

use crate::engine::GroundingRequest;
use crate::http::documents::filter;
use crate::http::problem::Problem;
use crate::http::validation::{Bounds, Location, ValidationErrors};

/// The least and the largest share of the free tokens that a request may give to passages.
const RATIOS: std::ops::RangeInclusive<f64> = 0.2..=0.8;

/// How the answer is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ChatOptions {
    /// Whether the answer lists its sources.
    pub(super) include_sources: bool,
    /// Whether a stream lists them at its beginning too.
    pub(super) sources_first: bool,
}

/// The index to answer from. No name, or an empty one, asks for no passages.
pub(super) fn index(body: &Map<String, Value>) -> Result<Option<IndexName>, Problem> {
    let mut errors = ValidationErrors::default();
    let name = match body.get("index_name").filter(|value| !value.is_null()) {
        None => Some(String::new()),
        Some(value) => errors.string(value, &Location::body().key("index_name")),
    };
    let name = errors.into_result(name)?;
    if name.is_empty() {
        return Ok(None);
    }
    // A name that no index can have is one that no index has.
    IndexName::try_from(name.as_str())
        .map(Some)
        .map_err(|_| Problem::no_such_index(&name))
}

/// Reads the others.
pub(super) fn read(
    body: &Map<String, Value>,
    index: Option<IndexName>,
    max_top_k: usize,
) -> Result<(Option<GroundingRequest>, ChatOptions), Problem> {
    let mut errors = ValidationErrors::default();
    let location = Location::body();
    let present = |key: &str| body.get(key).filter(|value| !value.is_null());
    let most = u64::try_from(max_top_k).unwrap_or(u64::MAX);
    let node_count = match present("max_node_count") {
        None => Some(None),
        Some(value) => errors
            .integer(value, &location.key("max_node_count"), Bounds { least: 1, most })
            .map(Some),
    };
    let conditions = match present("metadata_filter") {
        None => Some(Map::new()),
        Some(value) => errors.object_or_null(value, &location.key("metadata_filter")),
    };
    let include_sources = match present("include_sources") {
        None => Some(true),
        Some(value) => errors.boolean(value, &location.key("include_sources")),
    };
    let values = node_count.zip(conditions).zip(include_sources);
    let ((node_count, conditions), include_sources) = errors.into_result(values)?;
    let ratio = present("context_token_ratio").map(ratio).transpose()?;
    let options = ChatOptions {
        include_sources,
        sources_first: body
            .get("stream_options")
            .and_then(|options| options.get("include_sources"))
            .is_some_and(|when| when == "first"),
    };
    let Some(index) = index else {
        return Ok((None, options));
    };
    let request = GroundingRequest {
        index,
        ratio,
        max_node_count: node_count.map(|count| usize::try_from(count).unwrap_or(usize::MAX)),
        filter: filter(&conditions)?,
        threshold: present("similarity_threshold").map(threshold).transpose()?,
    };
    Ok((Some(request), options))
}

fn ratio(value: &Value) -> Result<f64, Problem> {
    // KAITO lets 0 through: no passages.
    let ratio = value.as_f64().filter(|ratio| *ratio == 0.0 || RATIOS.contains(ratio));
    ratio.ok_or_else(|| {
        Problem::bad_request(format!(
            "Invalid context_token_ratio: {value}. Must be between {} and {}.",
            RATIOS.start(),
            RATIOS.end()
        ))
    })
}

/// `None` when the request wants no threshold.
fn threshold(value: &Value) -> Result<Option<Threshold>, Problem> {
    let invalid = || {
        Problem::bad_request(format!(
            "Invalid similarity_threshold: {value}. Must be a number of at least 0: the largest squared distance, which is 2 - 2 * cosine, or 0 for none."
        ))
    };
    let distance = value.as_f64().ok_or_else(invalid)?;
    if distance == 0.0 {
        return Ok(None);
    }
    Ok(Some(Threshold::from_squared_distance(distance).map_err(|_| invalid())?))
}
