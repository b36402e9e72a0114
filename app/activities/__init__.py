"""What is on offer (activities) and who took part (participations)."""
