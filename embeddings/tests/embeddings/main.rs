//! The crate from outside: the real all-MiniLM-L6-v2 in this process, and a mock server for remote models.
//! The model is installed by `make setup`.

#![expect(clippy::indexing_slicing, clippy::panic, reason = "a test's helpers are tests too")]

mod local;
mod remote_limits;
mod remote_wire;
mod support;
