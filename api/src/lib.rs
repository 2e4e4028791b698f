//! The types of KAITO's custom resources will be here: group `kaito.sh`, `RAGEngine` and `Workspace`, with their
//! validation rules and the conversion between versions. Nothing is here yet.
