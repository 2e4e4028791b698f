use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn parse(filter: &Value) -> Result<Filter, ParseFilter> {
    Filter::parse(filter.as_object().expect("a filter is an object"))
}

fn metadata(value: Value) -> Metadata {
    serde_json::from_value(value).expect("metadata is an object")
}

#[expect(clippy::needless_pass_by_value, reason = "the calls read better without references")]
fn matches(filter: Value, value: Value) -> bool {
    parse(&filter).expect("the filter is valid").matches(&metadata(value))
}

#[test]
fn plain_values_are_equalities_and_all_of_them_must_hold() {
    assert!(matches(json!({}), json!({"a": 1})));
    assert!(matches(json!({"a": 1, "b": "x"}), json!({"a": 1, "b": "x", "c": 2})));
    assert!(!matches(json!({"a": 1, "b": "x"}), json!({"a": 1, "b": "y"})));
    assert!(!matches(json!({"a": 1}), json!({})));
    assert!(!matches(json!({"a.b": 1}), json!({"a": {"b": 1}})));
    assert!(matches(json!({"a.b": 1}), json!({"a.b": 1})));
}

#[test]
fn equality_knows_numbers_booleans_and_structures() {
    let cases = [
        (json!(1), json!(1.0), true),
        (json!(-0.0), json!(0), true),
        (json!(1), json!(true), false),
        (json!(0), json!(false), false),
        (json!("1"), json!(1), false),
        (json!(9_007_199_254_740_993_u64), json!(9_007_199_254_740_992.0), false),
        (json!(u64::MAX), json!(18_446_744_073_709_551_616.0), false),
        (json!(i64::MIN), json!(-9_223_372_036_854_775_808.0), true),
        (json!([1, {"a": 2}]), json!([1.0, {"a": 2.0}]), true),
        (json!([1, 2]), json!([2, 1]), false),
        (json!({"a": 1, "b": 2}), json!({"b": 2, "a": 1}), true),
        (json!({"a": null}), json!({}), false),
        (json!({}), json!({}), true),
        (json!({}), json!([]), false),
    ];
    for (wanted, actual, expected) in cases {
        assert_eq!(
            matches(json!({"k": wanted}), json!({"k": actual})),
            expected,
            "{wanted} against {actual}"
        );
    }
}

#[test]
fn null_matches_null_and_an_absent_key() {
    assert!(matches(json!({"k": null}), json!({"k": null})));
    assert!(matches(json!({"k": null}), json!({})));
    assert!(!matches(json!({"k": null}), json!({"k": 0})));
    assert!(matches(json!({"k": {"$in": [null, 5]}}), json!({})));
    assert!(!matches(json!({"k": {"$ne": null}}), json!({})));
}

#[test]
fn negative_operators_hold_for_an_absent_key() {
    assert!(matches(json!({"k": {"$ne": 5}}), json!({})));
    assert!(!matches(json!({"k": {"$ne": 5}}), json!({"k": 5.0})));
    assert!(matches(json!({"k": {"$nin": [5]}}), json!({})));
    assert!(matches(json!({"k": {"$not": {"$gt": 3}}}), json!({})));
    assert!(matches(json!({"k": {"$not": {"$gt": 3}}}), json!({"k": "x"})));
}

#[test]
fn order_operators_compare_within_a_type_only() {
    assert!(matches(
        json!({"year": {"$gte": 2020, "$lt": 2024}}),
        json!({"year": 2020})
    ));
    assert!(!matches(
        json!({"year": {"$gte": 2020, "$lt": 2024}}),
        json!({"year": 2024})
    ));
    assert!(matches(json!({"k": {"$lt": 1.5}}), json!({"k": 1})));
    assert!(matches(json!({"k": {"$gt": -1.5}}), json!({"k": -1})));
    assert!(matches(
        json!({"k": {"$gt": 9_007_199_254_740_992.0}}),
        json!({"k": 9_007_199_254_740_993_u64})
    ));
    assert!(matches(json!({"k": {"$lt": 1e300}}), json!({"k": u64::MAX})));
    assert!(matches(json!({"k": {"$gt": -1e300}}), json!({"k": i64::MIN})));
    assert!(matches(json!({"k": {"$gt": "\u{ffff}"}}), json!({"k": "🙂"})));
    for actual in [
        json!({}),
        json!({"k": null}),
        json!({"k": "5"}),
        json!({"k": true}),
        json!({"k": [5]}),
    ] {
        for operator in ["$gt", "$gte", "$lt", "$lte"] {
            assert!(
                !matches(json!({"k": {operator: 5}}), actual.clone()),
                "{operator} against {actual}"
            );
        }
    }
}

#[test]
fn exists_asks_for_the_key_and_not_for_a_value() {
    assert!(matches(json!({"k": {"$exists": true}}), json!({"k": null})));
    assert!(!matches(json!({"k": {"$exists": true}}), json!({})));
    assert!(matches(json!({"k": {"$exists": false}}), json!({})));
}

#[test]
fn combinators_take_whole_filters() {
    let either = json!({"$or": [{"a": 1, "b": 1}, {"a": 2}], "c": 3});
    assert!(matches(either.clone(), json!({"a": 2, "c": 3})));
    assert!(!matches(either.clone(), json!({"a": 1, "c": 3})));
    assert!(!matches(either, json!({"a": 2})));
    assert!(matches(json!({"$not": {"a": 1, "b": 1}}), json!({"a": 1})));
    assert!(!matches(json!({"$not": {}}), json!({"a": 1})));
    assert!(matches(json!({"$and": [{"a": 1}, {"a": {"$lt": 2}}]}), json!({"a": 1})));
}

#[test]
fn a_wrong_filter_is_refused_with_a_reason() {
    let cases = [
        (
            json!({"k": {"$regex": "x"}}),
            "unknown operator \"$regex\" under key \"k\"; allowed are $eq",
        ),
        (
            json!({"k": {"$or": [{"$gt": 3}]}}),
            "unknown operator \"$or\" under key \"k\"",
        ),
        (json!({"$gt": 3}), "operator \"$gt\" cannot stand here"),
        (
            json!({"k": {"$gt": 3, "plain": 1}}),
            "the value of key \"k\" mixes operators and plain keys",
        ),
        (
            json!({"k": {"$in": 3}}),
            "operator \"$in\" under key \"k\" takes a list of values",
        ),
        (
            json!({"k": {"$gt": true}}),
            "operator \"$gt\" under key \"k\" takes a number or a string",
        ),
        (
            json!({"k": {"$exists": 1}}),
            "operator \"$exists\" under key \"k\" takes true or false",
        ),
        (
            json!({"k": {"$not": 3}}),
            "operator \"$not\" under key \"k\" takes an object of operators",
        ),
        (
            json!({"k": {"$not": {}}}),
            "operator \"$not\" under key \"k\" takes an object of operators",
        ),
        (json!({"$not": 3}), "operator \"$not\" takes a filter object"),
        (
            json!({"$or": []}),
            "operator \"$or\" takes a list of at least one filter object",
        ),
        (
            json!({"$and": [1]}),
            "operator \"$and\" takes a list of at least one filter object",
        ),
    ];
    for (filter, expected) in cases {
        let message = parse(&filter).expect_err("the filter is wrong").to_string();
        assert!(message.starts_with(expected), "{message}");
    }
}

#[test]
fn size_and_depth_are_bounded() {
    let nested = |depth: usize| (0..depth).fold(json!({"k": 1}), |inner, _| json!({"$not": inner}));
    assert!(parse(&nested(MAX_DEPTH)).is_ok());
    assert_eq!(parse(&nested(MAX_DEPTH + 1)), Err(ParseFilter::NestTooDeep));

    let list = |depth: usize| json!({"k": (0..depth).fold(json!(1), |inner, _| json!([inner]))});
    assert!(parse(&list(MAX_DEPTH)).is_ok());
    assert_eq!(parse(&list(MAX_DEPTH + 1)), Err(ParseFilter::NestTooDeep));

    let wide = |count: usize| json!({"$or": (0..count).map(|number| json!({"k": number})).collect::<Vec<_>>()});
    assert!(parse(&wide(MAX_CONDITIONS)).is_ok());
    assert_eq!(
        parse(&wide(MAX_CONDITIONS + 1)),
        Err(ParseFilter::ListTooManyConditions)
    );

    let values = |count: usize| json!({"k": {"$in": (0..count).collect::<Vec<_>>()}});
    assert!(parse(&values(MAX_LIST_VALUES)).is_ok());
    assert!(matches!(
        parse(&values(MAX_LIST_VALUES + 1)),
        Err(ParseFilter::ListTooManyValues { .. })
    ));
}

#[test]
fn only_conjuncts_that_equal_a_scalar_are_required() {
    let filter = parse(&json!({
        "a": 1.0, "b": {"$eq": "x", "$ne": "y"}, "c": null, "d": [1], "e": {"$in": [true]}, "f": {"$in": [1, 2]},
        "$and": [{"g": 7}], "$or": [{"h": 1}, {"i": 1}], "$not": {"j": 1}, "k": {"$not": {"$eq": 1}},
    }))
    .expect("the filter is valid");
    let required: Vec<_> = filter
        .required_equalities()
        .into_iter()
        .map(|(key, value)| format!("{key} {}", value.as_str()))
        .collect();
    assert_eq!(required, ["a n:1", "b s:x", "e b:true", "g n:7"]);
}

#[test]
fn an_empty_filter_says_so() {
    assert!(parse(&json!({})).is_ok_and(|filter| filter.is_empty()));
    assert!(parse(&json!({"$not": {}})).is_ok_and(|filter| !filter.is_empty()));
}

/// Few different values, so that equal ones meet often; among them all pairs that are close but not equal.
fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        number(),
        prop_oneof![Just("a"), Just("b"), Just("1"), Just("true"), Just("n:1")].prop_map(Value::from),
    ]
}

fn number() -> impl Strategy<Value = Value> {
    prop_oneof![
        (-3_i64..4).prop_map(Value::from),
        (-6_i32..7).prop_map(|halves| Value::from(f64::from(halves) / 2.0)),
        Just(json!(u64::MAX)),
        Just(json!(18_446_744_073_709_551_616.0)),
        Just(json!(i64::MIN)),
        Just(json!(9_007_199_254_740_993_u64)),
        Just(json!(9_007_199_254_740_992.0)),
        any::<i64>().prop_map(Value::from),
        any::<f64>()
            .prop_filter("JSON has no infinity", |float| float.is_finite())
            .prop_map(Value::from),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Value::from),
            btree_map("[a$]{1,2}", inner, 0..3).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn some_metadata() -> impl Strategy<Value = Metadata> {
    btree_map("[a-c]", value(), 0..4).prop_map(|map| Metadata::from(map.into_iter().collect::<Map<String, Value>>()))
}

fn some_filter() -> impl Strategy<Value = Value> {
    let operators = prop_oneof![
        value().prop_map(|operand| json!({"$eq": operand})),
        value().prop_map(|operand| json!({"$ne": operand})),
        vec(value(), 0..3).prop_map(|operand| json!({"$in": operand})),
        vec(value(), 0..3).prop_map(|operand| json!({"$nin": operand})),
        (
            prop_oneof![Just("$gt"), Just("$gte"), Just("$lt"), Just("$lte")],
            number()
        )
            .prop_map(|(operator, operand)| json!({operator: operand})),
        any::<bool>().prop_map(|operand| json!({"$exists": operand})),
        number().prop_map(|operand| json!({"$not": {"$lt": operand}})),
        scalar(),
    ];
    let leaf = btree_map("[a-c]", operators, 0..3).prop_map(|map| Value::Object(map.into_iter().collect()));
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 1..3).prop_map(|filters| json!({"$and": filters})),
            vec(inner.clone(), 1..3).prop_map(|filters| json!({"$or": filters})),
            inner.prop_map(|filter| json!({"$not": filter})),
        ]
    })
}

fn holds(filter: &Value, metadata: &Metadata) -> bool {
    parse(filter).expect("generated filters are valid").matches(metadata)
}

proptest! {
    #[test]
    fn negation_distributes_as_de_morgan_says(left in some_filter(), right in some_filter(), metadata in some_metadata()) {
        prop_assert_eq!(
            holds(&json!({"$not": {"$or": [left, right]}}), &metadata),
            holds(&json!({"$and": [{"$not": left}, {"$not": right}]}), &metadata)
        );
        prop_assert_eq!(
            holds(&json!({"$not": {"$and": [left, right]}}), &metadata),
            holds(&json!({"$or": [{"$not": left}, {"$not": right}]}), &metadata)
        );
    }

    #[test]
    fn negating_twice_changes_nothing(filter in some_filter(), metadata in some_metadata()) {
        prop_assert_eq!(holds(&json!({"$not": {"$not": filter}}), &metadata), holds(&filter, &metadata));
    }

    #[test]
    fn membership_is_equality_with_one_of_the_values(wanted in vec(value(), 1..4), metadata in some_metadata()) {
        let equalities: Vec<_> = wanted.iter().map(|wanted| json!({"a": {"$eq": wanted}})).collect();
        let member = holds(&json!({"a": {"$in": wanted}}), &metadata);
        prop_assert_eq!(member, holds(&json!({"$or": equalities}), &metadata));
        prop_assert_eq!(!member, holds(&json!({"a": {"$nin": wanted}}), &metadata));
    }

    #[test]
    fn two_numbers_are_less_equal_or_greater(left in number(), right in number()) {
        let metadata = metadata(json!({"a": left}));
        let outcomes = ["$lt", "$eq", "$gt"].map(|operator| holds(&json!({"a": {operator: right}}), &metadata));
        prop_assert_eq!(outcomes.into_iter().filter(|outcome| *outcome).count(), 1, "{:?}", outcomes);
        prop_assert_eq!(holds(&json!({"a": {"$lte": right}}), &metadata), outcomes[0] || outcomes[1]);
        prop_assert_eq!(holds(&json!({"a": {"$gte": right}}), &metadata), outcomes[2] || outcomes[1]);
    }

    #[test]
    fn scalar_keys_are_equal_exactly_when_the_scalars_are(left in scalar(), right in scalar()) {
        let (Some(left_key), Some(right_key)) = (ScalarKey::of(&left), ScalarKey::of(&right)) else { return Ok(()) };
        prop_assert_eq!(left_key == right_key, equal(&left, &right));
    }

    #[test]
    fn whatever_matches_satisfies_every_required_equality(filter in some_filter(), metadata in some_metadata()) {
        let filter = parse(&filter).expect("generated filters are valid");
        if filter.matches(&metadata) {
            for (key, wanted) in filter.required_equalities() {
                prop_assert_eq!(metadata.get(key).and_then(ScalarKey::of), Some(wanted));
            }
        }
    }

    #[test]
    fn parsing_any_object_gives_a_filter_or_an_error(
        object in btree_map("[$]?(and|or|not|in|gt|eq|exists|[a-z])", value(), 0..4),
        metadata in some_metadata(),
    ) {
        let object: Map<String, Value> = object.into_iter().collect();
        if let Ok(filter) = Filter::parse(&object) {
            filter.matches(&metadata);
        }
    }
}
