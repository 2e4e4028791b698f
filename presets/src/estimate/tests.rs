use proptest::prelude::*;

use super::*;

fn gpus(count: u32, gib: u64) -> Gpus {
    Gpus {
        count: NonZeroU32::new(count).expect("not 0"),
        memory: ByteSize::from_gib(gib),
        model: None,
        compute_capability: None,
        is_mig_slice: false,
    }
}

fn demand(weights: &str, kv_bytes_per_token: u64, context_tokens: u64) -> Demand {
    Demand {
        weights: weights.parse().expect("a size"),
        kv_bytes_per_token,
        context_tokens,
    }
}

#[test]
fn the_calculation_can_be_read() {
    let estimate = estimate(&demand("61.03Gi", 262_144, 2048), &gpus(1, 80)).expect("it fits");
    assert_eq!(estimate.minimum_gpus, 2);
    assert_eq!(estimate.nodes.get(), 2);
    assert_eq!(
        estimate.to_string(),
        "2 node(s): 62.25 GiB of weights need 2 GPU(s) with room for 61.33 GiB each (67.20 GiB of 80.00 GiB available, \
         less 2.30 GiB for vLLM and 0.50 GiB for the cache), and a node has 1"
    );
}

#[test]
fn weights_that_fill_the_room_exactly_take_one_gpu_more() {
    // 100 GiB have 84 available; without a cache 81.7 are left, and a 1.05th of them is room for weights.
    let machine = gpus(1, 100);
    let room = estimate(&demand("1Gi", 0, 0), &machine).expect("it fits").room.weights;
    let of = |loaded: u64| {
        let demand = Demand {
            weights: ByteSize::from_bytes((loaded * 100).div_ceil(102)),
            kv_bytes_per_token: 0,
            context_tokens: 0,
        };
        estimate(&demand, &machine).expect("it fits").minimum_gpus
    };
    assert_eq!(of(room.bytes() - 2), 1);
    assert_eq!(of(room.bytes()), 2);
}

#[test]
fn a_gpu_that_is_full_before_it_gets_weights_is_refused_with_the_sum() {
    let refused = estimate(&demand("7.15Gi", 131_072, 131_072), &gpus(1, 16)).expect_err("16 GiB of cache");
    assert_eq!(
        refused.to_string(),
        "GPU memory of 16.00 GiB is too small, needs at least 21.80 GiB: 84 % of it are 13.44 GiB, of which 2.30 GiB go \
         to vLLM and 16.00 GiB to the cache of 131072 tokens (131072 x 131072 bytes, over 1 GPU(s)); use GPUs with more memory, \
         or lower max-model-len"
    );
}

#[test]
fn a_model_that_takes_several_slices_is_refused() {
    let slice = Gpus::from_mig_profile("1g.10gb").expect("a profile");
    assert!(estimate(&demand("1Gi", 131_072, 2048), &slice).is_ok());
    let refused = estimate(&demand("7.15Gi", 131_072, 2048), &slice).expect_err("it needs two");
    assert_eq!(
        refused.to_string(),
        "a MIG slice of 10.00 GiB has room for 5.57 GiB of weights and the model takes 7.29 GiB, that is 2 slices; a \
         model cannot be spread over slices, so use a profile with at least 12.16 GiB, or whole GPUs"
    );
}

#[test]
fn absurd_figures_do_not_overflow() {
    let absurd = Demand {
        weights: ByteSize::from_bytes(u64::MAX),
        kv_bytes_per_token: 0,
        context_tokens: u64::MAX,
    };
    assert_eq!(
        estimate(&absurd, &gpus(1, 3)).map(|estimate| estimate.nodes),
        Ok(NonZeroU32::MAX)
    );
    let absurd = Demand {
        kv_bytes_per_token: u64::MAX,
        ..absurd
    };
    assert!(estimate(&absurd, &gpus(8, 1128)).is_err());
}

proptest! {
    #[test]
    fn more_weights_and_longer_contexts_never_take_fewer_nodes(
        count in 1_u32..17,
        gib_each in 4_u64..200,
        weights in 1_u64..(2_u64 << 40),
        more_weights in 0_u64..(1_u64 << 40),
        kv_bytes_per_token in 0_u64..1_000_000,
        context_tokens in 0_u64..200_000,
        more_tokens in 0_u64..200_000,
    ) {
        let machine = gpus(count, gib_each * u64::from(count));
        let small = Demand { weights: ByteSize::from_bytes(weights), kv_bytes_per_token, context_tokens };
        let large = Demand {
            weights: ByteSize::from_bytes(weights + more_weights),
            context_tokens: context_tokens + more_tokens,
            ..small
        };
        match (estimate(&small, &machine), estimate(&large, &machine)) {
            (Ok(small), Ok(large)) => {
                prop_assert!(small.nodes <= large.nodes);
                prop_assert!(small.minimum_gpus <= large.minimum_gpus);
            }
            (Err(_), Ok(_)) => prop_assert!(false, "the larger fits and the smaller does not"),
            (_, Err(_)) => {}
        }
    }

    #[test]
    fn the_nodes_have_room_for_the_weights_and_one_less_would_not(
        count in 1_u32..17,
        gib_each in 4_u64..200,
        weights in 1_u64..(2_u64 << 40),
        kv_bytes_per_token in 0_u64..1_000_000,
    ) {
        let machine = gpus(count, gib_each * u64::from(count));
        let demand = Demand { weights: ByteSize::from_bytes(weights), kv_bytes_per_token, context_tokens: 2048 };
        if let Ok(estimate) = estimate(&demand, &machine) {
            let room = |nodes: u32| {
                u128::from(nodes) * u128::from(count) * u128::from(estimate.room.weights.bytes())
            };
            let loaded = u128::from(estimate.loaded_weights.bytes());
            prop_assert!(room(estimate.nodes.get()) > loaded);
            prop_assert!(room(estimate.nodes.get() - 1) <= loaded);
        }
    }

    #[test]
    fn the_memory_that_an_error_asks_for_is_enough(
        gib in 1_u64..24,
        weights in 1_u64..(100_u64 << 30),
        kv_bytes_per_token in 0_u64..1_000_000,
        context_tokens in 0_u64..200_000,
    ) {
        let demand = Demand { weights: ByteSize::from_bytes(weights), kv_bytes_per_token, context_tokens };
        let slice = |memory| Gpus { memory, is_mig_slice: true, ..gpus(1, 1) };
        match estimate(&demand, &slice(ByteSize::from_gib(gib))) {
            Err(EstimateError::FitSlice { needed, .. }) => {
                prop_assert!(estimate(&demand, &slice(needed)).is_ok());
            }
            Err(EstimateError::FitOverhead { needed, .. }) => {
                let larger = estimate(&demand, &slice(needed));
                prop_assert!(!matches!(larger, Err(EstimateError::FitOverhead { .. })), "{larger:?}");
            }
            Ok(_) => {}
        }
    }
}
