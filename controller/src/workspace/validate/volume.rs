//! A volume of a pod, which the API stores as the user wrote it.

use k8s_openapi::api::core::v1::Volume;
use kaito_api::v1beta1::RawObject;
use serde_json::Value;

/// The volume, without a name; or why it is none.
pub(super) fn volume(raw: &RawObject) -> Result<Volume, String> {
    let mut object = raw.clone();
    object.insert("name".to_owned(), Value::String(String::new()));
    let volume: Volume = serde_json::from_value(Value::Object(object)).map_err(|error| error.to_string())?;
    // The API server would take it for a volume that is empty and ends with the pod.
    if volume == Volume::default() {
        return Err("it is of no kind; set one, such as persistentVolumeClaim".to_owned());
    }
    Ok(volume)
}
