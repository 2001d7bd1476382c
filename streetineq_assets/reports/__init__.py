"""From published tables to a report that stands alone, and to a database that answers questions."""
