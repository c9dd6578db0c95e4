"""Documents of code: from sources to clean, deduplicated, split text."""
