"""People: their identities, matching, importing, and everything held about them."""
