"""What to do with a model: one file per verb, each written once against the contract."""
