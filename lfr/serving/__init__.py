"""The service: detector, embedder, watchlists and cameras on Ray, and the HTTP interface that field units call.

Importing this imports neither Ray nor FastAPI; take what you need from its modules: `app` (the Serve application),
`api` (the interface, which runs without Ray too), `supervisor` (`lfr serve`), `node` (the Ray node).
"""

__all__: list[str] = []
