//! The vocabulary of a retrieval: what is asked for, what was found where.

/// Which of the two searches take part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RetrievalMode {
    /// Vectors and words, fused.
    #[default]
    Hybrid,
    /// Vectors only.
    Dense,
    /// Words only.
    Lexical,
}

/// One hit of one search. A higher score is better in both: cosine for dense, BM25 for lexical.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    /// The node found.
    pub node: NodeKey,
    /// Cosine similarity or BM25 score.
    pub score: f32,
}

/// A node's number inside its index: grows with every node ever added and is never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeKey(pub u64);

/// Which searches a node was found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HitSource {
    /// In both lists.
    Both,
    /// In the dense list only.
    DenseOnly,
    /// In the lexical list only.
    SparseOnly,
}

/// A node with the evidence for it, after fusion.
#[derive(Clone, Debug, PartialEq)]
pub struct FusedHit {
    /// The node.
    pub node: NodeKey,
    /// What the ranking is by; higher is better.
    pub score: f64,
    /// Cosine similarity, when the dense search returned the node.
    pub dense_score: Option<f32>,
    /// BM25 score, when the lexical search returned the node.
    pub sparse_score: Option<f32>,
    /// Which searches found it.
    pub source: HitSource,
}
