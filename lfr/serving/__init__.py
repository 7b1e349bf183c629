"""The service: detector, embedder, watchlists and cameras on Ray, and the HTTP interface that field units call."""
