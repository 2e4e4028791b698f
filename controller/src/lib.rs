//! The operator will be here: it reconciles `RAGEngine` and `Workspace` resources. Nothing is here yet.
