"""The contract of image models, and its networks."""
