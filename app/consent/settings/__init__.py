"""Settings of consent: purposes and the texts people say yes to."""
