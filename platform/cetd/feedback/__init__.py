"""Rollouts, rewards, advantages and policy losses."""
