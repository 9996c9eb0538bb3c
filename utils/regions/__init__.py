"""Regions of an image: boxes, painted masks, segmentations."""
