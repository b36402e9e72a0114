"""Files of people and visits on their way into the store: read, mapped, tried out, stored, resumed."""
