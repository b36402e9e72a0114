"""Questions in a mail whose answers are kept of the person: which there are, and the page that asks them."""
