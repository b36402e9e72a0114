"""A house to look around in: invented people, an invented programme, and a believable history between them."""
