"""Rules to SQL."""
