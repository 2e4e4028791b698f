//! The program `kaito-controller`.

use std::process::ExitCode;

use clap::Parser;
use kaito_controller::options::{Command, Options};
use kaito_controller::{presets_command, render_command, run};

fn main() -> ExitCode {
    let options = Options::parse();
    match &options.command {
        Some(Command::Presets(command)) => presets_command::main(command),
        Some(Command::Render(command)) => render_command::main(command),
        None => run::main(options),
    }
}
