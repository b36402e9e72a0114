"""Composing a mailing: what it says, for whom it is filled in, how it looks, and whether it may go out so."""
