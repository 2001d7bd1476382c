"""Steps on the machines of a Ray cluster, chosen by `STREETINEQ_EXECUTOR=ray`."""
