//! Starting, and stopping in order.

use std::process::ExitCode;

use crate::Options;

/// The program: runs until it is told to stop.
pub fn main(_options: Options) -> ExitCode {
    ExitCode::SUCCESS
}
