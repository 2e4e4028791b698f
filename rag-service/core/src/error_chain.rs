//! An error for a log line or for a person.

use std::error::Error;

/// An error and its causes in one line, separated by colons: our messages do not repeat their sources.
pub fn error_chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
