"""Audiences as files, for systems without an API: a folder that somebody fetches them from, or that we write to."""
