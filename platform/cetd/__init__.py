"""CET-D's library: models, data, sandbox, rewards. Imports neither Ray nor vLLM."""
