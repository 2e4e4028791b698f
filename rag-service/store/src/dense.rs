//! The vector index of one index: exact search over unit vectors, so that the score is the cosine.
//!
//! Held in memory, derived from the documents' stored vectors. Removed vectors stay as tombstones until
//! [`DenseIndex::compact`] copies the live ones.

pub(crate) mod checkpoint;
mod faiss;

use parking_lot::RwLock;
use rag_core::embedding::Embedding;
use rag_core::retrieval::{Hit, NodeKey};
use roaring::RoaringTreemap;

use self::faiss::{FlatVectors, KeyMask};
use crate::error::Fault;

/// Tombstones worth a compaction: at least this many, and at least a fifth of all vectors.
const MIN_TOMBSTONES: u64 = 256;

/// Exact inner-product search over the vectors of one index, `[vectors, dimension]`.
///
/// Readers share it; a change excludes them only while vectors are copied in.
pub struct DenseIndex {
    dimension: usize,
    state: RwLock<State>,
}

struct State {
    vectors: FlatVectors,
    live: RoaringTreemap,
    /// The live keys as a bit mask; kept only while there are tombstones to hide.
    mask: Option<KeyMask>,
}

impl State {
    fn tombstones(&self) -> u64 {
        (self.vectors.len() as u64).saturating_sub(self.live.len())
    }

    fn refresh_mask(&mut self) {
        self.mask = (self.tombstones() > 0).then(|| KeyMask::of(&self.live));
    }
}

impl DenseIndex {
    /// An index without vectors.
    ///
    /// # Errors
    /// When FAISS refuses the dimension.
    pub fn empty(dimension: usize) -> Result<Self, Fault> {
        Ok(Self::from_vectors(FlatVectors::empty(dimension)?))
    }

    fn from_vectors(vectors: FlatVectors) -> Self {
        let dimension = vectors.dimension();
        let live = vectors.keys().collect();
        Self {
            dimension,
            state: RwLock::new(State {
                vectors,
                live,
                mask: None,
            }),
        }
    }

    /// Number of vectors that can be found.
    pub fn len(&self) -> u64 {
        self.state.read().live.len()
    }

    /// Whether no vector can be found.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Components of each vector.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    pub(crate) fn live_keys(&self) -> RoaringTreemap {
        self.state.read().live.clone()
    }

    /// Makes `added` (keys above all present ones, ascending) findable and `removed` not.
    ///
    /// # Errors
    /// When a vector has the wrong dimension, keys do not ascend, or FAISS fails; some of the change may then have been
    /// applied, and the index must be rebuilt.
    pub fn apply<'a>(&self, added: impl IntoIterator<Item = (u64, &'a [f32])>, removed: &[u64]) -> Result<(), Fault> {
        let mut keys = Vec::new();
        let mut components = Vec::new();
        for (key, vector) in added {
            if vector.len() != self.dimension {
                return Err(Fault::UseDense(format!(
                    "a vector has {} components instead of {}",
                    vector.len(),
                    self.dimension
                )));
            }
            keys.push(key);
            components.extend_from_slice(vector);
        }
        let mut state = self.state.write();
        state.vectors.add(&keys, &components)?;
        state.live.extend(keys);
        for key in removed {
            state.live.remove(*key);
        }
        state.refresh_mask();
        Ok(())
    }

    /// The `limit` nearest vectors, best first, equals by ascending key; only among `allowed` keys when given.
    ///
    /// # Errors
    /// When the query has the wrong dimension or FAISS fails.
    pub fn search(&self, query: &Embedding, limit: usize, allowed: Option<&RoaringTreemap>) -> Result<Vec<Hit>, Fault> {
        if query.dimension() != self.dimension {
            return Err(Fault::UseDense(format!(
                "the query has {} components where the index has {}",
                query.dimension(),
                self.dimension
            )));
        }
        let state = self.state.read();
        let filtered = allowed.map(|allowed| allowed & &state.live);
        let reachable = filtered.as_ref().map_or(state.live.len(), RoaringTreemap::len);
        let limit = limit.min(usize::try_from(reachable).unwrap_or(usize::MAX));
        if limit == 0 {
            return Ok(Vec::new());
        }
        let filter_mask = filtered.as_ref().map(KeyMask::of);
        let found = state
            .vectors
            .search(query.as_slice(), limit, filter_mask.as_ref().or(state.mask.as_ref()))?;
        drop(state);
        let mut hits: Vec<Hit> = found
            .into_iter()
            .map(|(key, score)| Hit {
                node: NodeKey(key),
                score,
            })
            .collect();
        hits.sort_by(|left, right| right.score.total_cmp(&left.score).then(left.node.cmp(&right.node)));
        Ok(hits)
    }

    /// Whether enough tombstones have gathered for [`Self::compact`].
    pub fn wants_compaction(&self) -> bool {
        let state = self.state.read();
        let tombstones = state.tombstones();
        tombstones >= MIN_TOMBSTONES && tombstones * 5 >= state.vectors.len() as u64
    }

    /// Drops the tombstones. Searches go on meanwhile; the caller must be the only writer.
    ///
    /// # Errors
    /// When FAISS fails; the index is then unchanged.
    pub fn compact(&self) -> Result<(), Fault> {
        let compacted = {
            let state = self.state.read();
            state.vectors.copy_of(&state.live)?
        };
        let mut state = self.state.write();
        state.vectors = compacted;
        state.refresh_mask();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(angle: f32) -> Vec<f32> {
        vec![angle.cos(), angle.sin()]
    }

    fn query(angle: f32) -> Embedding {
        Embedding::normalised(unit(angle)).unwrap()
    }

    fn keys(hits: &[Hit]) -> Vec<u64> {
        hits.iter().map(|hit| hit.node.0).collect()
    }

    fn index_of(angles: &[f32]) -> DenseIndex {
        let index = DenseIndex::empty(2).unwrap();
        let vectors: Vec<_> = angles.iter().map(|angle| unit(*angle)).collect();
        index.apply((1..).zip(vectors.iter().map(Vec::as_slice)), &[]).unwrap();
        index
    }

    #[test]
    fn the_nearest_vector_comes_first_with_its_cosine() {
        let hits = index_of(&[0.0, 0.5, 1.0]).search(&query(0.9), 2, None).unwrap();
        assert_eq!(keys(&hits), [3, 2]);
        assert!((hits[0].score - 0.1_f32.cos()).abs() < 1e-6);
    }

    #[test]
    fn a_removed_vector_is_never_found_and_others_fill_its_place() {
        let index = index_of(&[0.0, 0.5, 1.0]);
        index.apply([], &[3]).unwrap();
        assert_eq!(keys(&index.search(&query(0.9), 2, None).unwrap()), [2, 1]);
        index.compact().unwrap();
        assert_eq!(keys(&index.search(&query(0.9), 5, None).unwrap()), [2, 1]);
        assert_eq!(index.len(), 2);
    }

    #[test]
    fn a_filter_yields_as_many_hits_as_it_lets_through() {
        let angles: Vec<f32> = (0_u8..100).map(|step| f32::from(step) / 100.0).collect();
        let index = index_of(&angles);
        let allowed = RoaringTreemap::from_iter([1, 2, 50, 500]);
        assert_eq!(
            keys(&index.search(&query(0.0), 10, Some(&allowed)).unwrap()),
            [1, 2, 50]
        );
    }

    #[test]
    fn wrong_dimensions_and_reused_keys_are_refused() {
        let index = index_of(&[0.0]);
        assert!(index.apply([(2, [1.0_f32].as_slice())], &[]).is_err());
        assert!(index.apply([(1, unit(0.0).as_slice())], &[]).is_err());
        assert!(
            index
                .search(&Embedding::normalised(vec![1.0]).unwrap(), 1, None)
                .is_err()
        );
    }

    #[test]
    fn an_empty_index_finds_nothing() {
        assert!(
            DenseIndex::empty(2)
                .unwrap()
                .search(&query(0.0), 3, None)
                .unwrap()
                .is_empty()
        );
    }
}
