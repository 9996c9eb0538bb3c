"""Bytes to inert objects: what a file holds, without knowing any network."""
