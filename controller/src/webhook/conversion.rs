//! ConversionReview: all objects of a request into one version.

use kube::core::Status;
use kube::core::conversion::{ConversionRequest, ConversionResponse, ConversionReview};

/// Converts all objects of a ConversionReview, given as JSON, and returns the review that is the answer. An object
/// that cannot be converted fails the whole request, as Kubernetes has it.
///
/// # Errors
///
/// It is none; the text says why.
pub(super) fn convert(body: &[u8]) -> Result<ConversionReview, String> {
    let wrong = |reason: &dyn std::fmt::Display| format!("this is no ConversionReview: {reason}");
    let review: ConversionReview = serde_json::from_slice(body).map_err(|error| wrong(&error))?;
    let mut request = ConversionRequest::from_review(review).map_err(|error| wrong(&error))?;
    let objects = std::mem::take(&mut request.objects);
    let version = request.desired_api_version.clone();
    let response = ConversionResponse::for_request(request);
    let converted: Result<Vec<_>, _> = objects
        .into_iter()
        .map(|object| kaito_api::conversion::convert(object, &version))
        .collect();
    Ok(match converted {
        Ok(objects) => response.success(objects),
        Err(error) => {
            tracing::warn!(error = %error, "cannot convert an object");
            response.failure(Status::failure(&error.to_string(), "Invalid").with_code(422))
        }
    }
    .into_review())
}
