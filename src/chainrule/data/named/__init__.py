"""One file per named data set, or family of sets."""
