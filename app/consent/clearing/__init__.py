"""The clearing house: every no, and every erasure, on its way to every connected system."""
