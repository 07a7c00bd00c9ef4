"""Fine-tuning: networks that compute exactly their integers, in PyTorch and with gradients."""
