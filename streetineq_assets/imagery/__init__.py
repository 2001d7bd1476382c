"""Images from providers: what is wanted, what there is, what it costs, and how it is fetched."""
