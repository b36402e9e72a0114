"""Organisations, the people who log in, their roles, API keys and the audit trail."""
