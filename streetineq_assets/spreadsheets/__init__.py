"""Reading what offices publish: sheets of rows, and typed columns of them."""
