"""Latent codes, the walk along directions, and what it changes."""
