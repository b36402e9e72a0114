"""Maintained membership: who is in a segment, kept right as rows change and days go by."""
