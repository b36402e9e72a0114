"""Servers on loopback that behave as the vendors do, for tests."""
