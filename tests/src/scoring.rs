//! Ranking measures, defined as in trec_eval: a query counts when it has a relevant document, and measures are means
//! over those queries.

use std::collections::BTreeMap;

/// Means over the queries of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Scores {
    /// Normalised discounted cumulative gain of the first ten: gain is the relevance, the discount `log2(rank + 1)`.
    pub ndcg_at_10: f64,
    /// Share of the relevant documents among the first ten.
    pub recall_at_10: f64,
    /// Share of the relevant documents among the first hundred.
    pub recall_at_100: f64,
    /// One over the rank of the first relevant document if it is among the first ten.
    pub mrr_at_10: f64,
    /// Queries that counted.
    pub queries: usize,
}

/// Scores rankings (document names, best first) against judgements.
pub fn score<'a>(runs: impl IntoIterator<Item = (&'a [String], &'a BTreeMap<String, u32>)>) -> Scores {
    let mut sum = Scores::default();
    for (ranking, judged) in runs {
        let relevant = judged.values().filter(|relevance| **relevance > 0).count();
        if relevant == 0 {
            continue;
        }
        sum.queries += 1;
        sum.ndcg_at_10 += discounted_gain(ranking, judged, 10) / ideal_gain(judged, 10);
        sum.recall_at_10 += found(ranking, judged, 10) / count(relevant);
        sum.recall_at_100 += found(ranking, judged, 100) / count(relevant);
        sum.mrr_at_10 += reciprocal_rank(ranking, judged, 10);
    }
    let queries = count(sum.queries.max(1));
    Scores {
        ndcg_at_10: sum.ndcg_at_10 / queries,
        recall_at_10: sum.recall_at_10 / queries,
        recall_at_100: sum.recall_at_100 / queries,
        mrr_at_10: sum.mrr_at_10 / queries,
        queries: sum.queries,
    }
}

fn relevance(judged: &BTreeMap<String, u32>, document: &str) -> u32 {
    judged.get(document).copied().unwrap_or(0)
}

fn discounted_gain(ranking: &[String], judged: &BTreeMap<String, u32>, depth: usize) -> f64 {
    gain(ranking.iter().take(depth).map(|document| relevance(judged, document)))
}

fn ideal_gain(judged: &BTreeMap<String, u32>, depth: usize) -> f64 {
    let mut relevances: Vec<u32> = judged.values().copied().collect();
    relevances.sort_unstable_by(|left, right| right.cmp(left));
    gain(relevances.into_iter().take(depth))
}

fn gain(relevances: impl Iterator<Item = u32>) -> f64 {
    (1_u32..)
        .zip(relevances)
        .map(|(rank, relevance)| f64::from(relevance) / f64::from(rank + 1).log2())
        .sum()
}

fn found(ranking: &[String], judged: &BTreeMap<String, u32>, depth: usize) -> f64 {
    count(
        ranking
            .iter()
            .take(depth)
            .filter(|document| relevance(judged, document) > 0)
            .count(),
    )
}

fn reciprocal_rank(ranking: &[String], judged: &BTreeMap<String, u32>, depth: usize) -> f64 {
    let first = ranking
        .iter()
        .take(depth)
        .position(|document| relevance(judged, document) > 0);
    first.map_or(0.0, |place| 1.0 / count(place + 1))
}

fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranking(documents: &[&str]) -> Vec<String> {
        documents.iter().map(ToString::to_string).collect()
    }

    fn judged(relevances: &[(&str, u32)]) -> BTreeMap<String, u32> {
        relevances
            .iter()
            .map(|(document, relevance)| ((*document).to_owned(), *relevance))
            .collect()
    }

    fn close(left: f64, right: f64) -> bool {
        (left - right).abs() < 1e-9
    }

    #[test]
    fn a_perfect_ranking_scores_one() {
        let scores = score([(ranking(&["a", "b"]).as_slice(), &judged(&[("a", 1), ("b", 1)]))]);
        assert_eq!(
            (scores.ndcg_at_10, scores.recall_at_10, scores.mrr_at_10),
            (1.0, 1.0, 1.0)
        );
    }

    #[test]
    fn a_hand_computed_ranking_scores_what_the_formula_says() {
        // Relevant at ranks 2 and 4 of three relevant ones; graded 2 and 1, the one not found is 3.
        let scores = score([(
            ranking(&["x", "a", "y", "b"]).as_slice(),
            &judged(&[("a", 2), ("b", 1), ("c", 3), ("z", 0)]),
        )]);
        let dcg = 2.0 / 3.0_f64.log2() + 1.0 / 5.0_f64.log2();
        let ideal = 3.0 + 2.0 / 3.0_f64.log2() + 1.0 / 4.0_f64.log2();
        assert!(close(scores.ndcg_at_10, dcg / ideal));
        assert!(close(scores.recall_at_10, 2.0 / 3.0));
        assert!(close(scores.mrr_at_10, 0.5));
    }

    #[test]
    fn only_the_first_ten_count_for_measures_at_ten() {
        let mut documents: Vec<String> = (0..10).map(|number| format!("x{number}")).collect();
        documents.push("a".to_owned());
        let scores = score([(documents.as_slice(), &judged(&[("a", 1)]))]);
        assert_eq!(
            (scores.ndcg_at_10, scores.recall_at_10, scores.mrr_at_10),
            (0.0, 0.0, 0.0)
        );
        assert_eq!(scores.recall_at_100, 1.0);
    }

    #[test]
    fn queries_without_a_relevant_document_do_not_count() {
        let scores = score([
            (ranking(&["a"]).as_slice(), &judged(&[("a", 1)])),
            (ranking(&["a"]).as_slice(), &judged(&[("b", 0)])),
        ]);
        assert_eq!((scores.queries, scores.ndcg_at_10), (1, 1.0));
    }
}
