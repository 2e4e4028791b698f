//! Writes the CRDs into the charts, or says with `--check` that they are stale.

fn main() -> std::process::ExitCode {
    kaito_api::crds::generate()
}
