"""Benches: each file measures one promise as a ratio, with both sides timed in the same run. See harness.py."""
