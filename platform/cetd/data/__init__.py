"""Apps, tokenizers and datasets."""
