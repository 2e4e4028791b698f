//! The whole program under test: the real binary, the real model, real files.
#![expect(clippy::indexing_slicing, reason = "a missing member of an answer is a failed test")]

mod backend;
mod service;
