"""The layouts in which official tables are published, a module each."""
