"""streetineq: inequality measured from street images, as Dagster assets."""
