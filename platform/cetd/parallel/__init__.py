"""How a model is spread over processes: the device mesh, shards of any size, and what is communicated."""
