//! `rag-service`: see the library of the same name.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    rag_service::main(rag_service::Config::parse())
}
