"""Sign-up forms: made by the house, filled in by its audience, confirmed by mail."""
