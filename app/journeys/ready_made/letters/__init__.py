"""What the ready-made journeys say: one file per journey, each mail in Dutch, French and English."""
