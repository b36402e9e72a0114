"""Building a rule: previews, counts, checks and hints while somebody edits."""
