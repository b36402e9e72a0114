"""Stateful stand-ins for the outside systems, served on loopback."""
