"""Published weights and real photographs through the platform."""
