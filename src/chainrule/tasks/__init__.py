"""Tasks: one file for each verb, each written once against the contract of a model."""
