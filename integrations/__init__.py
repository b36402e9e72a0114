"""Outside systems. Each module knows one vendor's API and our plain records, and never our database."""
