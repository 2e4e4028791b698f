//! When it is asked whether a model fits.

use serde_json::{Value, json};

use super::{environment, model, own_nodes, workspace};
use crate::admission::{Load, Machine, Runtime};

const A100: &str = "Standard_NC24ads_A100_v4";

fn annotated(name: &str, value: &str) -> Value {
    let mut object = model(A100);
    object["metadata"] = json!({"name": "w", "annotations": {name: value}});
    object
}

fn sliced(mode: &str) -> Value {
    let mut object = model("");
    object["resource"]["partition"] = json!({"mode": mode, "profile": "1g.10gb"});
    object
}

#[test]
fn what_is_made_with_a_machine_type_or_a_slice_is_asked_about() {
    let made = workspace(&model(A100));
    let load = Load {
        preset: "phi-4",
        runtime: Runtime::Vllm,
        machine: Machine::InstanceType(A100),
        nodes: std::num::NonZeroU32::MIN,
    };
    assert_eq!(Load::of(&made, None, &environment()), Some(load));
    assert_eq!(
        load.refuse("too large").to_string(),
        "resource.instanceType: phi-4 does not fit: too large; to try it nevertheless, set the annotation \
         kaito.sh/bypass-resource-checks"
    );
    let made = workspace(&sliced("mig"));
    let slice = Load::of(&made, None, &own_nodes()).unwrap();
    assert_eq!(slice.machine, Machine::MigSlice("1g.10gb"));
    assert_eq!(slice.refuse("").field, "resource.partition.profile");
    let made = workspace(&annotated("kaito.sh/runtime", "transformers"));
    assert_eq!(
        Load::of(&made, None, &environment()).unwrap().runtime,
        Runtime::Transformers
    );
    for (count, nodes) in [(3, 3), (0, 1), (-1, 1), (i64::MAX, 1)] {
        let mut object = model(A100);
        object["resource"]["count"] = json!(count);
        let made = workspace(&object);
        assert_eq!(Load::of(&made, None, &environment()).unwrap().nodes.get(), nodes);
    }
}

#[test]
fn what_is_changed_or_not_known_is_not_asked_about() {
    let made = workspace(&model(A100));
    assert_eq!(Load::of(&made, Some(&made), &environment()), None);
    for (object, environment) in [
        (annotated("kaito.sh/bypass-resource-checks", "false"), environment()),
        (model(""), environment()),
        (model(""), own_nodes()),
        (sliced("accelerator"), own_nodes()),
        (
            json!({
                "resource": {"instanceType": A100, "labelSelector": {}},
                "inference": {"template": {"spec": {"containers": []}}},
            }),
            environment(),
        ),
        (json!({"inference": {"preset": {"name": "phi-4"}}}), own_nodes()),
    ] {
        let made = workspace(&object);
        assert_eq!(Load::of(&made, None, &environment), None, "{object}");
    }
}
