"""What became of mails that destinations sent by themselves, read back."""
