"""The rule language: what can be said, as JSON, as nodes, and told back in words."""
