"""Labels and geography: what the official statistics say of each small area."""
