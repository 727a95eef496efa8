"""Attacks on image classifiers, and how well a model of p(x) detects and repairs them (the extra ``attacks``)."""
