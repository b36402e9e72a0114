"""Journeys: the ways that people walk through a series of steps."""
