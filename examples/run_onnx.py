"""Run a network that was exported to ONNX, without this package: python run_onnx.py model.onnx

Needs onnxruntime and scikit-learn (for its digits). The metadata says how data becomes the network's integers.
"""

import json
import sys

import numpy as np
import onnxruntime
from sklearn.datasets import load_digits

session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
metadata = session.get_modelmeta().custom_metadata_map
entry = json.loads(metadata["asrc"])["input"]
pixels, labels = load_digits(return_X_y=True)
x = np.rint(pixels / 16 / entry["scale"]).astype(np.int32).reshape(len(pixels), -1, entry["channels"])
if "permutation" in metadata:
    x = x[:, json.loads(metadata["permutation"])]
(logits,) = session.run(["logits"], {"x": x})
predictions = logits.argmax(axis=1)
print("first predictions:", *predictions[:20])
print(f"{(predictions == labels).mean():.1%} of {len(labels)} digits are right")
