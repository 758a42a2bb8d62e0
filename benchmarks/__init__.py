"""Measures Stockyard, alone and against its peers: `python -m benchmarks --help`."""
