//! The decisions of a chat about an index: what is asked, which passages fit, what the backend is sent and what its
//! answer cites.
//!
//! In the order of a request: [`plan`] reads the messages, [`tokens`] and [`budget`] say how much room there is,
//! [`context`] chooses passages, [`prompt`] and [`body`] write the request, [`text_completion`] rewrites it for backends
//! without a chat endpoint, and [`citation`] reads the answer. Searching and calling the backend happen elsewhere.

pub mod body;
pub mod budget;
pub mod citation;
pub mod context;
pub mod plan;
pub mod prompt;
pub mod text_completion;
pub mod tokens;

mod content;
