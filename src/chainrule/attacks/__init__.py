"""Attacks on image classifiers, and a model of p(x) that detects and repairs them (the extra ``attacks``)."""
