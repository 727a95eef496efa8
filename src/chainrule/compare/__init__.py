"""Comparisons of sampled rows with real ones: what differs, and whether a classifier can tell.

Frames come in, plain numbers go out. Nothing here knows a model, a kind of data or a run.
"""
