"""Writes all-MiniLM-L6-v2 as an ONNX file, from its safetensors weights, with numpy and onnx only.

The graph is BERT's encoder up to the last hidden state; pooling is the caller's.

    inputs   input_ids, attention_mask, token_type_ids   int64   [batch, sequence]
    output   last_hidden_state                           float32 [batch, sequence, 384]

The output is the same bytes on every run: nodes and weights are written in a fixed order and nothing else goes in.
Usage: export_minilm.py WEIGHTS.safetensors CONFIG.json OUT.onnx
"""

import json
import struct
import sys
from pathlib import Path

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

# 20 is the first opset with Gelu as one operator; ONNX Runtime 1.32 runs it with its own kernel.
OPSET = 20
IR_VERSION = 9


class Weights:
    """The tensors of a safetensors file: a length, a JSON table of contents, then the data."""

    def __init__(self, path: Path):
        content = path.read_bytes()
        (header_length,) = struct.unpack_from("<Q", content)
        self.data = memoryview(content)[8 + header_length :]
        self.table = json.loads(content[8 : 8 + header_length])

    def __getitem__(self, name: str) -> numpy.ndarray:
        entry = self.table[name]
        if entry["dtype"] != "F32":
            raise ValueError(f"{name} is {entry['dtype']}, expected F32")
        start, end = entry["data_offsets"]
        return numpy.frombuffer(self.data[start:end], numpy.float32).reshape(entry["shape"])


class Graph:
    """Nodes and constants in the order in which they were added. Every method returns the name of its result."""

    def __init__(self):
        self.nodes = []
        self.constants = {}

    def constant(self, name: str, value) -> str:
        if name not in self.constants:
            self.constants[name] = numpy_helper.from_array(numpy.ascontiguousarray(value), name)
        return name

    def integers(self, *values: int) -> str:
        return self.constant("integers_" + "_".join(map(str, values)), numpy.array(values, numpy.int64))

    def add(self, operator: str, inputs: list[str], result: str, **attributes) -> str:
        self.nodes.append(helper.make_node(operator, inputs, [result], name=result, **attributes))
        return result

    def linear(self, value: str, weight: numpy.ndarray, bias: numpy.ndarray, result: str) -> str:
        """`weight` is [output, input], as PyTorch stores it."""
        product = self.add("MatMul", [value, self.constant(f"{result}.weight", weight.T)], f"{result}.product")
        return self.add("Add", [product, self.constant(f"{result}.bias", bias)], result)

    def layer_norm(self, value: str, weights: Weights, prefix: str, epsilon: float, result: str) -> str:
        scale = self.constant(f"{result}.scale", weights[f"{prefix}.weight"])
        bias = self.constant(f"{result}.bias", weights[f"{prefix}.bias"])
        return self.add("LayerNormalization", [value, scale, bias], result, axis=-1, epsilon=epsilon)


def embed_tokens(graph: Graph, weights: Weights, epsilon: float) -> str:
    words = graph.constant("words", weights["embeddings.word_embeddings.weight"])
    types = graph.constant("types", weights["embeddings.token_type_embeddings.weight"])
    positions = graph.constant("positions", weights["embeddings.position_embeddings.weight"])

    word = graph.add("Gather", [words, "input_ids"], "embedding.word")
    kind = graph.add("Gather", [types, "token_type_ids"], "embedding.type")
    length = graph.add("Shape", ["input_ids"], "sequence_length", start=1, end=2)
    position = graph.add(
        "Slice", [positions, graph.integers(0), length, graph.integers(0)], "embedding.position"
    )
    total = graph.add("Add", [graph.add("Add", [word, kind], "embedding.word_and_type"), position], "embedding.sum")
    return graph.layer_norm(total, weights, "embeddings.LayerNorm", epsilon, "embedding")


def attention_bias(graph: Graph) -> str:
    """[batch, 1, 1, sequence]: 0 where a token is, the lowest float where padding is."""
    mask = graph.add("Cast", ["attention_mask"], "mask.float", to=TensorProto.FLOAT)
    padding = graph.add("Sub", [graph.constant("one", numpy.float32(1)), mask], "mask.padding")
    lowest = graph.constant("lowest", numpy.finfo(numpy.float32).min)
    bias = graph.add("Mul", [padding, lowest], "mask.bias")
    return graph.add("Unsqueeze", [bias, graph.integers(1, 2)], "mask")


def encoder_layer(graph: Graph, weights: Weights, config: dict, index: int, value: str, bias: str, result: str) -> str:
    source, layer = f"encoder.layer.{index}", f"layer{index}"
    width, heads = config["hidden_size"], config["num_attention_heads"]
    epsilon = config["layer_norm_eps"]

    # Query, key and value come from one multiplication, with 1/sqrt(head width) folded into the query's weights.
    projections = [f"{source}.attention.self.{part}" for part in ("query", "key", "value")]
    scales = [numpy.float32(1 / numpy.sqrt(width // heads)), numpy.float32(1), numpy.float32(1)]
    joint_weight = numpy.concatenate([weights[f"{p}.weight"] * s for p, s in zip(projections, scales)])
    joint_bias = numpy.concatenate([weights[f"{p}.bias"] * s for p, s in zip(projections, scales)])
    joint = graph.linear(value, joint_weight, joint_bias, f"{layer}.projections")

    split = [f"{layer}.{part}" for part in ("query", "key", "value")]
    graph.nodes.append(helper.make_node("Split", [joint], split, name=f"{layer}.split", axis=2, num_outputs=3))
    by_head = graph.integers(0, 0, heads, width // heads)
    query, key, content = (
        graph.add(
            "Transpose",
            [graph.add("Reshape", [part, by_head], f"{part}.heads")],
            f"{part}.by_head",
            perm=[0, 2, 3, 1] if part.endswith("key") else [0, 2, 1, 3],
        )
        for part in split
    )

    scores = graph.add("MatMul", [query, key], f"{layer}.scores")
    masked = graph.add("Add", [scores, bias], f"{layer}.masked_scores")
    shares = graph.add("Softmax", [masked], f"{layer}.shares", axis=-1)
    mixed = graph.add("MatMul", [shares, content], f"{layer}.mixed")
    swapped = graph.add("Transpose", [mixed], f"{layer}.mixed.by_token", perm=[0, 2, 1, 3])
    joined = graph.add("Reshape", [swapped, graph.integers(0, 0, width)], f"{layer}.mixed.joined")

    def dense(inputs: str, name: str, to: str) -> str:
        return graph.linear(inputs, weights[f"{source}.{name}.weight"], weights[f"{source}.{name}.bias"], to)

    attended = graph.add("Add", [dense(joined, "attention.output.dense", f"{layer}.attention"), value], f"{layer}.attended")
    attended = graph.layer_norm(attended, weights, f"{source}.attention.output.LayerNorm", epsilon, f"{layer}.attended.norm")
    inner = graph.add("Gelu", [dense(attended, "intermediate.dense", f"{layer}.inner")], f"{layer}.inner.gelu")
    outer = graph.add("Add", [dense(inner, "output.dense", f"{layer}.outer"), attended], f"{layer}.outer.sum")
    return graph.layer_norm(outer, weights, f"{source}.output.LayerNorm", epsilon, result)


def build(weights: Weights, config: dict) -> onnx.ModelProto:
    if (config["model_type"], config["hidden_act"]) != ("bert", "gelu"):
        raise ValueError("this exporter knows BERT with gelu only")
    graph = Graph()
    value = embed_tokens(graph, weights, config["layer_norm_eps"])
    bias = attention_bias(graph)
    last = config["num_hidden_layers"] - 1
    for index in range(last + 1):
        result = "last_hidden_state" if index == last else f"layer{index}.output"
        value = encoder_layer(graph, weights, config, index, value, bias, result)

    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "sequence"])
        for name in ("input_ids", "attention_mask", "token_type_ids")
    ]
    output = helper.make_tensor_value_info(value, TensorProto.FLOAT, ["batch", "sequence", config["hidden_size"]])
    return helper.make_model(
        helper.make_graph(graph.nodes, "all-MiniLM-L6-v2", inputs, [output], list(graph.constants.values())),
        opset_imports=[helper.make_opsetid("", OPSET)],
        producer_name="kaito-rs",
        ir_version=IR_VERSION,
    )


def main() -> None:
    weights_path, config_path, out_path = map(Path, sys.argv[1:])
    model = build(Weights(weights_path), json.loads(config_path.read_text()))
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, out_path)


if __name__ == "__main__":
    main()
