"""Checks exported all-MiniLM-L6-v2 files: the fp32 one against published values, the int8 one against the fp32 one.

Usage: check_minilm.py DIRECTORY (with model.onnx, model_int8.onnx, tokenizer.json)
"""

import json
import sys
from pathlib import Path

import numpy
import onnxruntime

# What sentence-transformers answers for the first sentence, first six values.
PUBLISHED = [0.06765693, 0.06349593, 0.04871314, 0.07930495, 0.03744806, 0.00265273]
# Every word is a token of the vocabulary, so splitting at spaces is the whole tokenizer.
SENTENCES = [
    "this is an example sentence",
    "the cat sleeps on the sofa",
    "a small animal is resting in the living room",
    "the central bank raised interest rates again",
]
LEAST_INT8_COSINE = 0.97


def embed(model: Path, vocabulary: dict[str, int]) -> numpy.ndarray:
    """[sentences, 384], unit length; each sentence runs alone, so that int8 has no batch mates to depend on."""
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    vectors = []
    for sentence in SENTENCES:
        ids = numpy.array([[vocabulary[token] for token in ["[CLS]", *sentence.split(), "[SEP]"]]], numpy.int64)
        feeds = {"input_ids": ids, "attention_mask": numpy.ones_like(ids), "token_type_ids": numpy.zeros_like(ids)}
        mean = session.run(None, feeds)[0][0].mean(axis=0)
        vectors.append(mean / numpy.linalg.norm(mean))
    return numpy.stack(vectors)


def main() -> None:
    directory = Path(sys.argv[1])
    vocabulary = json.loads((directory / "tokenizer.json").read_text())["model"]["vocab"]
    full = embed(directory / "model.onnx", vocabulary)
    if not numpy.allclose(full[0, : len(PUBLISHED)], PUBLISHED, atol=1e-5):
        sys.exit(f"model.onnx answers {full[0, :len(PUBLISHED)]}, the published values are {PUBLISHED}")
    if not full[1] @ full[2] > full[1] @ full[3]:
        sys.exit("model.onnx puts a sentence about a bank nearer to a cat than one about an animal")

    cosines = (full * embed(directory / "model_int8.onnx", vocabulary)).sum(axis=1)
    if cosines.min() < LEAST_INT8_COSINE:
        sys.exit(f"model_int8.onnx is too far from model.onnx: cosines {cosines}, the least allowed is {LEAST_INT8_COSINE}")
    print(f"fp32 equals the published values, int8 cosine with it {cosines.min():.4f} or better")


if __name__ == "__main__":
    main()
