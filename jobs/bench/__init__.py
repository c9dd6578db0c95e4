"""Benchmarks, one file each: ratios against a named alternative in the same run, and the figures of the
specification's validation.

Each has ``HELP``, ``add_arguments`` and ``run``, which measures, prints a table, writes runs/bench/NAME.json and
returns what it has written.
"""
