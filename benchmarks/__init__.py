"""Benchmarks: `make bench`, or one by name. Figures are ratios taken in one run; nothing here is asserted in a test."""
