"""Model architectures, in plain PyTorch."""
