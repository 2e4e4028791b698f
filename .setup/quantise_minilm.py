"""Writes the int8 version of an ONNX model: weights per channel, activations as they come (dynamic quantisation).

Usage: quantise_minilm.py FP32.onnx INT8.onnx
"""

import logging
import sys

from onnxruntime.quantization import QuantType, quantize_dynamic

# It recommends a pre-processing step that infers shapes, which the exported graph already states.
logging.getLogger().setLevel(logging.ERROR)
source, target = sys.argv[1:]
quantize_dynamic(source, target, per_channel=True, weight_type=QuantType.QInt8)
