"""`python -m streetineq_assets` is `streetineq`."""

from streetineq_assets.cli import app

app()
