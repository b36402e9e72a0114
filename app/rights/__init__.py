"""What people may ask under the GDPR: the desk that answers, what is held about them, and the register of it all."""
