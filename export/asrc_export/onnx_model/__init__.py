"""The integer network as an ONNX model."""
