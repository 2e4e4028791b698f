//! The crate from outside: the real all-MiniLM-L6-v2 in this process, and a mock server for remote models.
//! The model is installed by `make setup`.

mod local;
mod remote;
mod support;
