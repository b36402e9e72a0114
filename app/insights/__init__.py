"""Indicators: what a house sees of itself at a glance."""
