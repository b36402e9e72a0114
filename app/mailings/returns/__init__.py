"""What comes back: bounces, complaints, answers, and mails that unsubscribe; by mailbox, webhook or pipe."""
