"""Decoding from a policy."""
