//! Any history of writes, crashes and damage leaves the same index as storing the surviving documents anew.

use proptest::prelude::*;
use rag_core::document::{Document, DocumentId};
use rag_core::retrieval::{Hit, NodeKey, RetrievalMode};
use serde_json::json;

use super::fixture::{Fixture, block_on, indexed, name, search};
use crate::store::{DocumentStore, InsertOutcome, Page, StoredNode, UpdateOutcome};

const INDEX: &str = "history";
const WORDS: [&str; 8] = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta"];

#[derive(Clone, Debug)]
enum Step {
    Insert(Vec<String>),
    Update { victim: usize, text: String },
    Delete(usize),
    Restart,
    Crash,
    Damage(Damage),
}

#[derive(Clone, Copy, Debug)]
enum Damage {
    RemoveCheckpoint,
    TearCheckpoint,
    RemoveLexical,
    TearLexical,
}

fn text() -> impl Strategy<Value = String> {
    let passage = prop::collection::vec(prop::sample::select(&WORDS[..]), 1..5).prop_map(|words| words.join(" "));
    prop::collection::vec(passage, 1..4).prop_map(|passages| passages.join("|"))
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => prop::collection::vec(text(), 1..6).prop_map(Step::Insert),
        3 => (any::<usize>(), text()).prop_map(|(victim, text)| Step::Update { victim, text }),
        3 => any::<usize>().prop_map(Step::Delete),
        1 => Just(Step::Restart),
        2 => Just(Step::Crash),
        1 => prop::sample::select(vec![
            Damage::RemoveCheckpoint,
            Damage::TearCheckpoint,
            Damage::RemoveLexical,
            Damage::TearLexical,
        ])
        .prop_map(Step::Damage),
    ]
}

/// What the index should hold: documents in the order they were stored.
#[derive(Default)]
struct Model(Vec<Document>);

impl Model {
    fn insert(&mut self, text: &str) -> InsertOutcome {
        let new = Document::new(text.to_owned(), json_metadata());
        let holders = self.0.iter().filter(|document| document.text == text);
        if let Some(holder) = holders.min_by_key(|document| document.id != new.id) {
            return InsertOutcome::Duplicate(holder.id.clone());
        }
        self.0.retain(|document| document.id != new.id);
        self.0.push(new);
        InsertOutcome::Inserted
    }

    fn update(&mut self, id: &DocumentId, text: &str) -> UpdateOutcome {
        let Some(place) = self.0.iter().position(|document| document.id == *id) else {
            return UpdateOutcome::NotFound;
        };
        if self.0[place].text == text {
            return UpdateOutcome::Unchanged;
        }
        let mut document = self.0.remove(place);
        text.clone_into(&mut document.text);
        self.0.push(document);
        UpdateOutcome::Updated
    }

    fn delete(&mut self, id: &DocumentId) -> bool {
        let before = self.0.len();
        self.0.retain(|document| document.id != *id);
        self.0.len() < before
    }

    /// A document's id, or one that never was.
    fn pick(&self, victim: usize) -> DocumentId {
        match self.0.len() {
            0 => DocumentId::from("nobody".to_owned()),
            length => self.0[victim % length].id.clone(),
        }
    }
}

fn json_metadata() -> rag_core::metadata::Metadata {
    serde_json::from_value(json!({})).unwrap()
}

fn play(history: Vec<Step>) -> (Fixture, Model) {
    let mut fixture = Fixture::new();
    let mut model = Model::default();
    for step in history {
        match step {
            Step::Insert(texts) => {
                let documents = texts
                    .iter()
                    .map(|text| indexed(Document::new(text.clone(), json_metadata())))
                    .collect();
                let outcomes = block_on(fixture.store.insert(&name(INDEX), documents)).unwrap();
                let expected: Vec<InsertOutcome> = texts.iter().map(|text| model.insert(text)).collect();
                assert_eq!(outcomes, expected);
            }
            Step::Update { victim, text } => {
                let id = model.pick(victim);
                let changed = Document {
                    id: id.clone(),
                    text: text.clone(),
                    metadata: json_metadata(),
                };
                let outcomes = block_on(fixture.store.update(&name(INDEX), vec![indexed(changed)]));
                assert_eq!(
                    outcomes.unwrap_or(vec![UpdateOutcome::NotFound]),
                    [model.update(&id, &text)]
                );
            }
            Step::Delete(victim) => {
                let id = model.pick(victim);
                let outcomes = block_on(fixture.store.delete_documents(&name(INDEX), vec![id.clone()]));
                assert_eq!(outcomes.unwrap_or(vec![false]), [model.delete(&id)]);
            }
            Step::Restart => fixture = fixture.restart(),
            Step::Crash => fixture = fixture.crash(),
            Step::Damage(damage) => {
                let directory = fixture.index_directory(INDEX);
                fixture = fixture.stop_and(|| damage.inflict(&directory));
            }
        }
    }
    (fixture, model)
}

impl Damage {
    fn inflict(self, index: &std::path::Path) {
        let (part, tear) = match self {
            Self::RemoveCheckpoint => ("dense", false),
            Self::TearCheckpoint => ("dense", true),
            Self::RemoveLexical => ("lexical", false),
            Self::TearLexical => ("lexical", true),
        };
        let Ok(entries) = std::fs::read_dir(index.join(part)) else {
            return;
        };
        for entry in entries {
            let path = entry.unwrap().path();
            if tear {
                let length = std::fs::metadata(&path).unwrap().len();
                std::fs::File::options()
                    .write(true)
                    .open(&path)
                    .unwrap()
                    .set_len(length / 2)
                    .unwrap();
            } else {
                std::fs::remove_file(&path).unwrap();
            }
        }
    }
}

/// Everything that can be asked, with node ids in place of keys: keys depend on the history, ids do not.
struct Answers {
    nodes: Vec<StoredNode>,
    dense: Vec<Vec<(String, f32)>>,
    lexical: Vec<Vec<(String, f32)>>,
}

async fn answers(fixture: &Fixture) -> Answers {
    let store = &fixture.store;
    let nodes = store
        .list_nodes(
            &name(INDEX),
            Page {
                offset: 0,
                limit: 10_000,
            },
            None,
        )
        .await
        .unwrap()
        .nodes;
    let id_of = |key: NodeKey| nodes.iter().find(|node| node.key == key).unwrap().id.to_string();
    let named = |hits: Vec<Hit>| -> Vec<(String, f32)> {
        let mut named: Vec<_> = hits.into_iter().map(|hit| (id_of(hit.node), hit.score)).collect();
        named.sort_by(|left, right| right.1.total_cmp(&left.1).then(left.0.cmp(&right.0)));
        named
    };
    store.merge(&name(INDEX)).await.unwrap();
    let (mut dense, mut lexical) = (Vec::new(), Vec::new());
    for word in WORDS {
        let found = search(store, INDEX, word, RetrievalMode::Hybrid, None).await;
        dense.push(named(found.dense));
        lexical.push(named(found.lexical));
    }
    Answers { nodes, dense, lexical }
}

fn assert_same_hits(left: &[(String, f32)], right: &[(String, f32)]) {
    let ids = |hits: &[(String, f32)]| hits.iter().map(|(id, _)| id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(left), ids(right));
    for ((_, left), (_, right)) in left.iter().zip(right) {
        assert!((left - right).abs() < 1e-5, "{left} and {right}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn any_history_ends_in_the_index_that_its_surviving_documents_make(history in prop::collection::vec(step(), 1..14)) {
        let (fixture, model) = play(history);
        if !block_on(fixture.store.contains(&name(INDEX))).unwrap() {
            prop_assert!(model.0.is_empty());
            return Ok(());
        }
        let fresh = Fixture::new();
        let (lived, expected) = block_on(async {
            fresh.store.insert(&name(INDEX), Vec::new()).await.unwrap();
            // One by one: a fresh index may hold two documents with one text, which a history of updates can make.
            for document in &model.0 {
                let placeholder = Document { text: format!("placeholder {}", document.id), ..document.clone() };
                fresh.store.insert(&name(INDEX), vec![indexed(placeholder)]).await.unwrap();
                fresh.store.update(&name(INDEX), vec![indexed(document.clone())]).await.unwrap();
            }
            (answers(&fixture).await, answers(&fresh).await)
        });
        let content = |nodes: &[StoredNode]| {
            nodes.iter().map(|node| (node.id.clone(), node.document_id.clone(), node.text.clone())).collect::<Vec<_>>()
        };
        prop_assert_eq!(content(&lived.nodes), content(&expected.nodes));
        for (left, right) in lived.dense.iter().zip(&expected.dense) {
            assert_same_hits(left, right);
        }
        for (left, right) in lived.lexical.iter().zip(&expected.lexical) {
            assert_same_hits(left, right);
        }
    }
}
