"""Connections to outside systems: the inbox for webhooks, scheduled pulls, progress."""
