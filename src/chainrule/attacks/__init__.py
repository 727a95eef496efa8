"""Attacks on a classifier of images, and what a model of p(x) tells and mends of them (the extra ``attacks``)."""
