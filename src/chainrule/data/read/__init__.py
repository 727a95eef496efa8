"""One file per file format: what it holds, as arrays or frames."""
