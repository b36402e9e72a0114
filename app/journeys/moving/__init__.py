"""Moving people through journeys, many at a time."""
