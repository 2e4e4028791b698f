//! Fusion: one ranking out of the dense and the lexical hit list.
//!
//! Both methods are monotonic: a passage that is no worse than another in either list is never ranked below it, and a
//! passage gets credit only for evidence, a positive cosine or a BM25 score.

use std::collections::HashMap;

use crate::retrieval::{FusedHit, Hit, HitSource, NodeKey};

/// How two hit lists become one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fusion {
    /// Weighted sum of normalised scores. Each list is divided by its best score, a cosine first being measured from
    /// the lowest one in the list, so that every score lies in 0..=1; a passage missing from a list gets 0 from it.
    Weighted {
        /// Weight of the dense list, 0..=1; the lexical list has the rest.
        dense_weight: f64,
    },
    /// Reciprocal rank fusion: the sum of `1 / (constant + rank)` over the lists, ranks from 1 (Cormack, Clarke and
    /// Büttcher, SIGIR 2009), scaled so that first in both lists is 1.
    ReciprocalRank {
        /// Dampens the lead of the first ranks; 60 in the paper.
        constant: f64,
    },
}

/// Joins both lists (each best first) and returns the `limit` best passages, best first, equals by ascending key.
pub fn fuse(fusion: Fusion, dense: &[Hit], lexical: &[Hit], limit: usize) -> Vec<FusedHit> {
    let (dense_credit, lexical_credit) = match fusion {
        Fusion::Weighted { dense_weight } => {
            let dense_weight = dense_weight.clamp(0.0, 1.0);
            (
                scaled(normalised(dense, floor(dense)), dense_weight),
                scaled(normalised(lexical, 0.0), 1.0 - dense_weight),
            )
        }
        Fusion::ReciprocalRank { constant } => {
            let half = (constant + 1.0) / 2.0;
            (
                scaled(reciprocal_ranks(dense, constant), half),
                scaled(reciprocal_ranks(lexical, constant), half),
            )
        }
    };
    let mut fused: HashMap<NodeKey, FusedHit> = HashMap::with_capacity(dense.len() + lexical.len());
    for (hit, credit) in dense.iter().zip(dense_credit) {
        fused.insert(
            hit.node,
            FusedHit {
                node: hit.node,
                score: credit,
                dense_score: Some(hit.score),
                sparse_score: None,
                source: HitSource::DenseOnly,
            },
        );
    }
    for (hit, credit) in lexical.iter().zip(lexical_credit) {
        fused
            .entry(hit.node)
            .and_modify(|both| {
                both.score += credit;
                both.sparse_score = Some(hit.score);
                both.source = HitSource::Both;
            })
            .or_insert(FusedHit {
                node: hit.node,
                score: credit,
                dense_score: None,
                sparse_score: Some(hit.score),
                source: HitSource::SparseOnly,
            });
    }
    let mut ranked: Vec<FusedHit> = fused.into_values().collect();
    ranked.sort_by(|left, right| right.score.total_cmp(&left.score).then(left.node.cmp(&right.node)));
    ranked.truncate(limit);
    ranked
}

/// One list alone, ranked by its own score.
pub fn single(source: HitSource, hits: &[Hit], limit: usize) -> Vec<FusedHit> {
    hits.iter()
        .take(limit)
        .map(|hit| FusedHit {
            node: hit.node,
            score: f64::from(hit.score),
            dense_score: (source == HitSource::DenseOnly).then_some(hit.score),
            sparse_score: (source == HitSource::SparseOnly).then_some(hit.score),
            source,
        })
        .collect()
}

/// Where the cosines of a list start to count: its lowest, but never below zero, which is no similarity at all.
fn floor(dense: &[Hit]) -> f64 {
    dense.last().map_or(0.0, |hit| f64::from(hit.score).max(0.0))
}

fn normalised(hits: &[Hit], floor: f64) -> Vec<f64> {
    let best = hits.first().map_or(0.0, |hit| f64::from(hit.score));
    let range = best - floor;
    hits.iter()
        .map(|hit| {
            let score = f64::from(hit.score);
            if score <= 0.0 {
                0.0
            } else if range <= f64::EPSILON {
                // All equal: equally good.
                1.0
            } else {
                // Last of the list is still evidence, however little.
                ((score - floor) / range).max(LEAST_CREDIT)
            }
        })
        .collect()
}

/// What a passage gets for being in a list at all, when it is the last one.
const LEAST_CREDIT: f64 = 1e-6;

fn reciprocal_ranks(hits: &[Hit], constant: f64) -> Vec<f64> {
    let mut credits = Vec::with_capacity(hits.len());
    let mut rank = 0.0_f64;
    let mut previous = None;
    for (place, hit) in hits.iter().enumerate() {
        // Equal scores share a rank, or a tie would be decided by the order of keys twice.
        if previous != Some(hit.score) {
            rank = f64::from(u32::try_from(place).unwrap_or(u32::MAX)) + 1.0;
            previous = Some(hit.score);
        }
        credits.push(if hit.score > 0.0 { 1.0 / (constant + rank) } else { 0.0 });
    }
    credits
}

fn scaled(mut credits: Vec<f64>, weight: f64) -> Vec<f64> {
    for credit in &mut credits {
        *credit *= weight;
    }
    credits
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const METHODS: [Fusion; 2] = [
        Fusion::Weighted { dense_weight: 0.5 },
        Fusion::ReciprocalRank { constant: 60.0 },
    ];

    fn hits(scores: &[(u64, f32)]) -> Vec<Hit> {
        scores
            .iter()
            .map(|(node, score)| Hit {
                node: NodeKey(*node),
                score: *score,
            })
            .collect()
    }

    fn order(fused: &[FusedHit]) -> Vec<u64> {
        fused.iter().map(|hit| hit.node.0).collect()
    }

    #[test]
    fn a_passage_found_by_both_searches_leads() {
        let dense = hits(&[(1, 0.9), (2, 0.8), (3, 0.1)]);
        let lexical = hits(&[(2, 9.0), (4, 3.0)]);
        for method in METHODS {
            let fused = fuse(method, &dense, &lexical, 10);
            assert_eq!(fused[0].node, NodeKey(2), "{method:?}");
            assert_eq!(fused[0].source, HitSource::Both);
            assert_eq!((fused[0].dense_score, fused[0].sparse_score), (Some(0.8), Some(9.0)));
        }
    }

    #[test]
    fn one_empty_list_leaves_the_order_of_the_other() {
        let list = hits(&[(3, 0.9), (1, 0.5), (2, 0.4)]);
        for method in METHODS {
            assert_eq!(order(&fuse(method, &list, &[], 10)), [3, 1, 2]);
            assert_eq!(order(&fuse(method, &[], &list, 10)), [3, 1, 2]);
        }
    }

    #[test]
    fn a_cosine_of_zero_or_less_is_no_evidence() {
        let dense = hits(&[(1, -0.1), (2, -0.2)]);
        let lexical = hits(&[(2, 0.3)]);
        for method in METHODS {
            let fused = fuse(method, &dense, &lexical, 10);
            assert_eq!(order(&fused), [2, 1], "{method:?}");
            assert_eq!(fused[1].score, 0.0);
        }
    }

    #[test]
    fn first_in_both_lists_scores_one() {
        let dense = hits(&[(1, 0.9), (2, 0.1)]);
        let lexical = hits(&[(1, 7.0)]);
        for method in METHODS {
            assert!((fuse(method, &dense, &lexical, 1)[0].score - 1.0).abs() < 1e-9);
        }
    }

    fn hit_list(scores: impl Strategy<Value = f32>) -> impl Strategy<Value = Vec<Hit>> {
        prop::collection::btree_map(0_u64..30, scores, 0..30).prop_map(|scores| {
            let mut list: Vec<Hit> = scores
                .into_iter()
                .map(|(node, score)| Hit {
                    node: NodeKey(node),
                    score,
                })
                .collect();
            list.sort_by(|left, right| right.score.total_cmp(&left.score).then(left.node.cmp(&right.node)));
            list
        })
    }

    fn evidence(list: &[Hit], node: NodeKey) -> f32 {
        list.iter()
            .find(|hit| hit.node == node)
            .map_or(0.0, |hit| hit.score.max(0.0))
    }

    proptest! {
        #[test]
        fn no_passage_is_ranked_below_one_that_is_worse_in_both_lists(
            dense in hit_list(-1.0_f32..1.0),
            lexical in hit_list(0.01_f32..30.0),
        ) {
            for method in METHODS {
                let fused = fuse(method, &dense, &lexical, usize::MAX);
                for (place, above) in fused.iter().enumerate() {
                    for below in &fused[place + 1..] {
                        let worse = |list: &[Hit]| evidence(list, above.node) < evidence(list, below.node);
                        prop_assert!(!(worse(&dense) && worse(&lexical)), "{method:?}: {above:?} over {below:?}");
                    }
                }
            }
        }

        #[test]
        fn every_hit_appears_once_and_scores_lie_between_zero_and_one(
            dense in hit_list(-1.0_f32..1.0),
            lexical in hit_list(0.01_f32..30.0),
        ) {
            for method in METHODS {
                let fused = fuse(method, &dense, &lexical, usize::MAX);
                let mut found = order(&fused);
                found.sort_unstable();
                let mut expected: Vec<u64> = dense.iter().chain(&lexical).map(|hit| hit.node.0).collect();
                expected.sort_unstable();
                expected.dedup();
                prop_assert_eq!(found, expected);
                for hit in &fused {
                    prop_assert!((0.0..=1.0 + 1e-9).contains(&hit.score));
                    let has_evidence = evidence(&dense, hit.node) > 0.0 || evidence(&lexical, hit.node) > 0.0;
                    prop_assert_eq!(hit.score > 0.0, has_evidence);
                }
            }
        }
    }
}
