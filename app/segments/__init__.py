"""The rule language, its compilation to SQL, and who holds for a rule."""
