"""The limits benches measure themselves against: the best that can be written by hand, on the same tables."""
