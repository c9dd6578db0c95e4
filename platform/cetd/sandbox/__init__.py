"""Runs programs that nobody trusts against an app's tests."""
