"""Files of audiences, kept here for people to fetch."""
