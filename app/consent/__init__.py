"""The consent ledger, the permission it implies, and the gate nothing gets past."""
