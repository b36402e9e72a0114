"""The clearing house at work: noes and erasures carried to every destination, and found missing where they are."""
