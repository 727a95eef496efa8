"""Readers, one file for each file format; they give arrays or frames."""
