"""Benchmarks: each runs both sides in one run and prints ratios. Never run by pytest."""
