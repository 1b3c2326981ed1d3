"""Measured speed and memory, as one table: `python -m benchmarks --help`."""
