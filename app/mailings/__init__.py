"""Mail that leaves the house: letters now; composing, sending, tracking and measuring mailings above them."""
