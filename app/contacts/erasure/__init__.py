"""What erasing a person takes: the rules per table, the search for traces, and the list of who was erased."""
