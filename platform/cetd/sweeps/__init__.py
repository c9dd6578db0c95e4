"""Sweeps over the parameter budget: the cells and their shapes, asynchronous successive halving, the ledger, results.

Pure but for the ledger's file; what runs trials is the actors' business.
"""
