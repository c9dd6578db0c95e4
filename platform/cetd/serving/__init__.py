"""What serving is made of below HTTP and Ray: loaded models, and what the gateway decides with."""
