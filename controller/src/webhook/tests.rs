//! Tests of the webhooks as a whole.
