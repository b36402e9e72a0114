"""What a person allows, over REST: this room knows who is meant, the room of consent what it implies."""
