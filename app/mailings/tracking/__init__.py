"""Who is followed, and who is not: links and pixels by consent, hits, and machines told apart."""
