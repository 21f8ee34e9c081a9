"""Readers of the data sets, one module a kind of data."""
