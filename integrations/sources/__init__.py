"""Systems we read contacts, activities and participations from."""
