use proptest::prelude::*;

use super::*;
use crate::chat::prompt::tests::template;

#[derive(Debug)]
struct Node {
    document: DocumentId,
    position: u32,
    span: CharSpan,
    text: String,
    dense: Option<f32>,
    sparse: Option<f32>,
}

/// A node of a document of its own.
fn lone(name: &str, text: &str) -> Node {
    Node {
        document: DocumentId::from(name.to_owned()),
        position: 0,
        span: CharSpan { start: 0, end: 1 },
        text: text.to_owned(),
        dense: None,
        sparse: None,
    }
}

fn scored(name: &str, dense: Option<f32>, sparse: Option<f32>) -> Node {
    Node {
        dense,
        sparse,
        ..lone(name, "some text")
    }
}

fn selected(nodes: &[Node], threshold: Option<f64>, budget: usize) -> SelectedContext {
    let candidates: Vec<Candidate<'_>> = nodes
        .iter()
        .map(|node| Candidate {
            document_id: &node.document,
            position: node.position,
            span: node.span,
            text: &node.text,
            dense_score: node.dense,
            sparse_score: node.sparse,
            source: format!("document {}", node.document),
        })
        .collect();
    select(&Selection {
        candidates: &candidates,
        threshold: threshold.map(|distance| Threshold::from_squared_distance(distance).unwrap()),
        budget,
        counter: &ChatTokenCounter::o200k(),
        template: &template(),
    })
}

fn rendered_tokens(context: &SelectedContext) -> usize {
    context
        .passages
        .iter()
        .map(|passage| ChatTokenCounter::o200k().count(&framed(&template(), passage)))
        .sum()
}

const PLENTY: usize = 100_000;

#[test]
fn a_candidate_passes_the_threshold_by_its_vector_or_by_its_words() {
    // Cosine 0.575 is the squared distance 0.85; the best BM25 score among the candidates is 10.
    let cases = [
        ((Some(0.9), None), true),
        ((Some(0.575), None), true),
        ((Some(0.57), None), false),
        ((Some(0.1), Some(1.0)), false),
        ((Some(0.1), Some(6.0)), true),
        ((Some(0.9), Some(0.1)), true),
        ((None, Some(6.0)), true),
        ((None, Some(5.9)), false),
        ((None, None), false),
        ((Some(-0.5), Some(0.0)), false),
    ];
    for ((dense, sparse), is_admitted) in cases {
        let nodes = [scored("best", Some(0.0), Some(10.0)), scored("asked", dense, sparse)];
        let expected = if is_admitted { vec![0, 1] } else { vec![0] };
        assert_eq!(
            selected(&nodes, Some(0.85), PLENTY).nodes,
            expected,
            "{dense:?} {sparse:?}"
        );
        assert_eq!(selected(&nodes, None, PLENTY).nodes, [0, 1]);
    }
}

#[test]
fn a_score_of_zero_is_no_lexical_hit() {
    assert!(
        selected(&[scored("a", None, Some(0.0))], Some(0.85), PLENTY)
            .nodes
            .is_empty()
    );
}

#[test]
fn what_does_not_fit_is_skipped_for_something_smaller() {
    let nodes = [lone("a", "short"), lone("b", &"long ".repeat(500)), lone("c", "brief")];
    let context = selected(&nodes, None, 100);
    assert_eq!(context.nodes, [0, 2]);
    assert_eq!(context.tokens, rendered_tokens(&context));
    let numbered: Vec<(u32, &str, &str)> = context
        .passages
        .iter()
        .map(|passage| (passage.number, passage.source.as_str(), passage.text.as_str()))
        .collect();
    assert_eq!(numbered, [(1, "document a", "short"), (2, "document c", "brief")]);
}

#[test]
fn without_room_or_candidates_nothing_is_chosen() {
    for budget in [0, 1, SMALLEST_PASSAGE_TOKENS] {
        assert_eq!(selected(&[lone("a", "text")], None, budget), SelectedContext::default());
    }
    assert_eq!(selected(&[], None, PLENTY), SelectedContext::default());
}

#[test]
fn the_frame_counts_as_well_as_the_text() {
    let nodes = [lone("a", "one two three")];
    let exact = selected(&nodes, None, PLENTY).tokens;
    assert!(exact > ChatTokenCounter::o200k().count("one two three"));
    assert_eq!(selected(&nodes, None, exact).nodes, [0]);
    assert!(selected(&nodes, None, exact - 1).nodes.is_empty());
}

#[test]
fn after_many_misfits_in_a_row_the_search_ends() {
    let long = "long ".repeat(500);
    let mut nodes: Vec<Node> = (0..MAX_MISFITS - 1)
        .map(|name| lone(&name.to_string(), &long))
        .collect();
    nodes.push(lone("fits", "short"));
    assert_eq!(selected(&nodes, None, 100).nodes, [MAX_MISFITS - 1]);
    nodes.insert(0, lone("one more", &long));
    assert!(selected(&nodes, None, 100).nodes.is_empty());
}

#[test]
fn blank_nodes_and_repeated_ones_are_left_out() {
    let nodes = [lone("a", "text"), lone("b", " \n"), lone("a", "text")];
    assert_eq!(selected(&nodes, None, PLENTY).nodes, [0]);
}

/// Windows of one document, 100 words long, of which the next repeats 50.
fn windows(count: u32) -> Vec<Node> {
    (0..count)
        .map(|position| {
            let words: Vec<String> = (0..100).map(|word| format!("w{:04}", position * 50 + word)).collect();
            let start = position * 50 * 6;
            Node {
                position,
                span: CharSpan {
                    start,
                    end: start + 599,
                },
                ..lone("d", &words.join(" "))
            }
        })
        .collect()
}

#[test]
fn a_neighbour_costs_only_what_it_adds() {
    let alone = selected(&windows(1), None, PLENTY).tokens;
    let three = selected(&windows(3), None, PLENTY);
    assert_eq!(three.passages.len(), 1);
    assert_eq!(three.passages[0].members, [0, 1, 2]);
    assert!(three.tokens < 2 * alone + 10, "{} {alone}", three.tokens);
    // Room for hardly more than two of them alone is room for all three.
    assert_eq!(selected(&windows(3), None, 2 * alone + 10).nodes, [0, 1, 2]);
}

#[test]
fn a_node_between_two_that_were_taken_joins_them() {
    let mut nodes = windows(3);
    nodes.swap(1, 2);
    let context = selected(&nodes, None, PLENTY);
    assert_eq!(context.nodes, [0, 1, 2]);
    assert_eq!(context.passages.len(), 1);
    assert_eq!(context.passages[0].members, [0, 2, 1]);
    assert_eq!(
        context.passages[0].text,
        selected(&windows(3), None, PLENTY).passages[0].text
    );
}

fn nodes() -> impl Strategy<Value = Vec<Node>> {
    let node = (
        0_u8..3,
        0_u32..6,
        "[a-z0-9 `é日\n]{0,60}",
        prop::option::of(-1.0_f32..1.0),
    );
    prop::collection::vec(node, 0..25).prop_map(|nodes| {
        nodes
            .into_iter()
            .map(|(document, position, text, dense)| {
                let text = text.trim().to_owned();
                let start = position * 20;
                let length = u32::try_from(text.chars().count()).unwrap();
                Node {
                    document: DocumentId::from(document.to_string()),
                    position,
                    span: CharSpan {
                        start,
                        end: start + length,
                    },
                    text,
                    dense,
                    sparse: None,
                }
            })
            .collect()
    })
}

proptest! {
    #[test]
    fn the_passages_fit_the_budget_and_hold_every_chosen_node_once(nodes in nodes(), budget in 0_usize..400) {
        let context = selected(&nodes, Some(2.0), budget);
        prop_assert!(context.tokens <= budget);
        prop_assert_eq!(context.tokens, rendered_tokens(&context));
        prop_assert!(context.nodes.is_sorted());
        let mut members: Vec<usize> = context.passages.iter().flat_map(|passage| passage.members.clone()).collect();
        members.sort_unstable();
        prop_assert_eq!(&members, &context.nodes);
        prop_assert!(context.nodes.iter().all(|place| nodes[*place].dense.is_some_and(|cosine| cosine >= -1e-6)));
        let numbers: Vec<u32> = context.passages.iter().map(|passage| passage.number).collect();
        prop_assert_eq!(numbers, (1..).take(context.passages.len()).collect::<Vec<u32>>());
    }
}
