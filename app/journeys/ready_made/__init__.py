"""Journeys of the sector, ready to be looked over and published: catalogue, letters, and how one is put in a house."""
