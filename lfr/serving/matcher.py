"""Holds one live deployment's sealed watchlist, or a part of a large one, in memory; scores templates against it."""

from __future__ import annotations

from lfr.deployments import LiveDeployment
from lfr.matching import shard
from lfr.serving.alive import Alive, HeldFaces
from lfr.serving.liveness import Liveness
from lfr.serving.logs import log_json
from lfr.serving.opening import open_service_store
from lfr.serving.settings import AppArgs
from lfr.serving.tidy import keep_tidy
from lfr.types import Embeddings, FloatArray
from lfr.watchlist import load_sealed

__all__ = ["Matcher"]


class Matcher:
    """The sealed list of one deployment, or a part of it: an immutable snapshot; the database is the truth.

    A restarted one loads it again by its digest, and refuses any other.

    Parameters
    ----------
    args
        Of the app.
    deployment
        Whose list it is.
    part
        Which part of the list, from 0, of as many as ``args`` spreads it over.
    """

    def __init__(self, args: AppArgs, deployment: LiveDeployment, part: int = 0) -> None:
        log_json()
        store = open_service_store(args)
        self._live = Liveness(store, deployment.id)
        sealed = load_sealed(
            store,
            deployment.watchlist_id,
            digest=deployment.watchlist_digest,
            model_digest=deployment.model_digest,
        )
        # The whole list was read, because its digest is of the whole; what is not this part's is let go here.
        self._digest = sealed.digest
        self._snapshot = shard(sealed.snapshot, part, args.matchers(deployment.watchlist_size))
        self._alive = Alive()
        keep_tidy()

    def held(self) -> HeldFaces:
        """Return what is held of the faces of people who pass now; the sealed list is not counted."""
        return self._alive.count()

    def subjects(self) -> tuple[str, ...]:
        """Return the entries in the order of the columns of scores."""
        return self._snapshot.subjects

    def digest(self) -> str:
        """Return the digest of the whole list."""
        return self._digest

    def subject_scores(self, vectors: FloatArray, model_digest: str) -> FloatArray:
        """Return (probes, subjects) scores of (probes, d) templates.

        Raises
        ------
        NotAuthorisedError
            The deployment is no longer live: nothing is searched any more.
        ModelMismatchError
            Another model made the templates.
        """
        self._live.check()
        return self._snapshot.subject_scores(Embeddings(self._alive.templates(vectors), model_digest))
