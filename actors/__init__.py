"""Ray actors: thin shells that hold a resource (a model, an engine, a sandbox) around cetd."""
