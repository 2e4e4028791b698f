//! The whole program under test: the real binary, the real model, real files.

mod service;
