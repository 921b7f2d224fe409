//! Hand-computed tables and properties of the mastery methods.

use chrono::DateTime;
use proptest::prelude::*;

use super::*;

fn result(n: u32, score: f64) -> Evidence {
    Evidence { id: Uuid::from_u128(n.into()), score, weight: 1.0, at: DateTime::from_timestamp(n.into(), 0).unwrap() }
}

fn results(scores: &[f64]) -> Vec<Evidence> {
    (0..).zip(scores).map(|(n, s)| result(n, *s)).collect()
}

#[test]
fn each_method_equals_its_table() {
    const WA: Method = Method::WeightedAverage { weight: 0.65 };
    const DA: Method = Method::DecayingAverage { rate: 0.65 };
    const N2: Method = Method::NMastery { n: 2, threshold: 0.8 };
    // 0.4, 0.9, 0.8: earlier mean 0.65; decayed 0.4·0.35 + 0.9·0.65 = 0.725, then 0.725·0.35 + 0.8·0.65 = 0.77375.
    let table: &[(Method, &[f64], Option<f64>)] = &[
        (Method::Highest, &[], None),
        (Method::Highest, &[0.4, 0.9, 0.8], Some(0.9)),
        (Method::Latest, &[0.4, 0.9, 0.8], Some(0.8)),
        (Method::Average, &[0.4, 0.9, 0.8], Some(0.7)),
        (N2, &[0.9], None),
        (N2, &[0.4, 0.9, 0.7], None),
        (N2, &[0.4, 0.9, 0.8], Some(0.85)),
        (N2, &[0.8, 0.9, 1.0, 0.1], Some(0.9)),
        (WA, &[0.6], Some(0.6)),
        (WA, &[0.4, 0.9, 0.8], Some(0.8 * 0.65 + 0.65 * 0.35)),
        (DA, &[0.6], Some(0.6)),
        (DA, &[0.4, 0.9], Some(0.725)),
        (DA, &[0.4, 0.9, 0.8], Some(0.773_75)),
    ];
    for (method, scores, expected) in table {
        let value = method.mastery(&results(scores));
        let equal = match (value, expected) {
            (Some(a), Some(b)) => (a - b).abs() < 1e-12,
            (None, None) => true,
            _ => false,
        };
        assert!(equal, "{method:?} of {scores:?}: {value:?}, not {expected:?}");
    }
}

#[test]
fn weights_count_in_means() {
    let mut two = results(&[0.0, 1.0]);
    two[1].weight = 3.0;
    assert_eq!(Method::Average.mastery(&two), Some(0.75));
}

#[test]
fn work_submitted_at_the_same_instant_is_ordered_by_id() {
    let mut two = results(&[0.2, 0.7]);
    two[0].at = two[1].at;
    assert_eq!(Method::Latest.mastery(&two), Some(0.7));
    two.reverse();
    assert_eq!(Method::Latest.mastery(&two), Some(0.7));
}

#[test]
fn parameters_are_checked_all_at_once() {
    let params = Params { rate: Some(2.0), n: Some(0), threshold: Some(f64::NAN), ..Params::default() };
    let faults = Method::new("n_mastery", &params).unwrap_err();
    let pointers: Vec<_> = faults.iter().map(|f| f.pointer.as_str()).collect();
    assert_eq!(pointers, ["/params/rate", "/params/n", "/params/threshold"]);
    assert!(Method::new("median", &Params::default()).is_err());
    assert_eq!(Method::new("decaying_average", &Params::default()), Ok(Method::DecayingAverage { rate: 0.65 }));
}

#[test]
fn a_level_is_reached_from_its_threshold_on() {
    let levels = [("begun", 0.0), ("near", 0.5), ("mastered", 0.8)]
        .map(|(name, at_least)| Level { name: name.to_owned(), at_least });
    let name = |m| level_of(m, &levels).map(|l| l.name.as_str());
    assert_eq!(name(None), None);
    assert_eq!(name(Some(0.499)), Some("begun"));
    assert_eq!(name(Some(0.5)), Some("near"));
    assert_eq!(name(Method::Average.mastery(&results(&[0.7, 0.8, 0.9]))), Some("mastered"));
    assert!(check_levels(&levels).is_empty());
    assert_eq!(check_levels(&[]).len(), 1);
    let [low, _, high] = levels;
    assert_eq!(check_levels(&[high.clone(), low, high]).len(), 2);
}

fn any_method() -> impl Strategy<Value = Method> {
    prop_oneof![
        Just(Method::Highest),
        Just(Method::Latest),
        Just(Method::Average),
        (1u32..4, 0.1f64..1.0).prop_map(|(n, threshold)| Method::NMastery { n, threshold }),
        (0.01f64..=1.0).prop_map(|weight| Method::WeightedAverage { weight }),
        (0.01f64..=1.0).prop_map(|rate| Method::DecayingAverage { rate }),
    ]
}

proptest! {
    #[test]
    fn mastery_lies_between_the_worst_and_the_best_and_ignores_the_order_of_arrival(
        method in any_method(),
        scores in prop::collection::vec(0.0f64..=1.0, 1..12),
        cut in 0usize..12,
    ) {
        let mut evidence = results(&scores);
        let value = method.mastery(&evidence);
        let at = cut % evidence.len();
        evidence.rotate_left(at);
        prop_assert_eq!(value, method.mastery(&evidence));
        if let Some(value) = value {
            let low = scores.iter().copied().fold(1.0, f64::min);
            let high = scores.iter().copied().fold(0.0, f64::max);
            prop_assert!(value >= low - 1e-9 && value <= high + 1e-9);
        }
    }

    #[test]
    fn a_better_latest_result_never_lowers_mastery(
        method in any_method(),
        scores in prop::collection::vec(0.0f64..=1.0, 1..12),
    ) {
        // Counting only results that reach a threshold is not monotone: a result that just reaches it lowers the mean.
        prop_assume!(!matches!(method, Method::NMastery { .. }));
        let before = method.mastery(&results(&scores)).unwrap();
        let mut better = scores;
        if let Some(last) = better.last_mut() {
            *last = 1.0;
        }
        prop_assert!(method.mastery(&results(&better)).unwrap() >= before - 1e-9);
    }
}
