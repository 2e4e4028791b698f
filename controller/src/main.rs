//! The program `kaito-controller`.

use std::process::ExitCode;

use clap::Parser;
use kaito_controller::{Options, run};

fn main() -> ExitCode {
    run::main(Options::parse())
}
