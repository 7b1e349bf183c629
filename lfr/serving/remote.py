"""The parts of the pipeline that run in other processes, as the pipeline knows them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import ray
from ray.exceptions import ActorDiedError, RayError, RayTaskError
from ray.serve.handle import DeploymentHandle, DeploymentResponse

from lfr.errors import LfrError, ModelMismatchError, ServiceError
from lfr.matching import PAIRWISE_PROBES, ShardMerge
from lfr.pipeline.recogniser import read_crops
from lfr.serving.crossing import SentFrame, crossing
from lfr.types import Embeddings, Faces, FloatArray, Pixels
from lfr.vision import Quality

__all__ = ["RemoteReader", "RemoteReferences", "cause_of"]
_ANSWER_S = 30.0


class RemoteReader:
    """`lfr.pipeline.stream.FaceReader` over the deployments `Detector` and `Embedder`.

    Parameters
    ----------
    detector, embedder
        Handles of the two.
    model_digest
        Of the model that both run.
    """

    def __init__(self, detector: DeploymentHandle[Any], embedder: DeploymentHandle[Any], *, model_digest: str) -> None:
        self._detector, self._embedder, self._model_digest = detector, embedder, model_digest

    def begin(self, picture: SentFrame) -> Callable[[], Faces]:
        """Begin to look for faces in a frame, encoded or (height, width, 3) BGR, and return what waits for them."""
        sent = crossing(picture)
        with _as_own_errors():
            response: DeploymentResponse[Faces | LfrError] = self._detector.detect.remote(sent)  # type: ignore[assignment]
        return partial(_faces, response)

    def detect(self, pixels: Pixels) -> Faces:
        """Return the faces of a (height, width, 3) BGR picture."""
        return self.begin(pixels)()

    def crops(self, pixels: Pixels, faces: Faces) -> tuple[Pixels, Quality]:
        """Return aligned crops of the faces, and their quality; made here, where the picture is."""
        return read_crops(pixels, faces)

    def embed(self, crops: Pixels) -> Embeddings:
        """Return one template for each aligned crop.

        Raises
        ------
        ModelMismatchError
            Another model made them: the service goes from one to another just now.
        """
        with _as_own_errors():
            made: Embeddings = self._embedder.embed.remote(crops).result(timeout_s=_ANSWER_S)
        if made.model_digest != self._model_digest:
            raise ModelMismatchError(f"the embedder runs model {made.model_digest}, this camera {self._model_digest}")
        return Embeddings(np.array(made.vectors, np.float32), made.model_digest)


class RemoteReferences:
    """`lfr.pipeline.stream.References` over a deployment's `Matcher`, or the several that share a large list.

    Several give what one would, to the bit: scores are of pairs alone, and a maximum rounds nothing.

    Parameters
    ----------
    find
        Returns handles of the actors, in the order of their parts; asked again where one is gone for good.
    size
        Entries that all parts together have.
    """

    def __init__(self, find: Callable[[], Sequence[Any]], *, size: int) -> None:
        self._find, self._matchers, self._size = find, find(), size
        self._merge: ShardMerge | None = None

    @property
    def subjects(self) -> tuple[str, ...]:
        """The entries, in the order of the columns of scores."""
        return self._merged().subjects

    def subject_scores(self, probes: Embeddings) -> FloatArray:
        """Return (probes, subjects) scores."""
        merge, at_once = self._merged(), PAIRWISE_PROBES
        starts = range(0, max(1, len(probes)), at_once)
        return np.concatenate(
            [
                merge.scores(self._ask("subject_scores", probes.vectors[start : start + at_once], probes.model_digest))
                for start in starts
            ]
        )

    def _merged(self) -> ShardMerge:
        if self._merge is None:
            merge = ShardMerge(tuple(self._ask("subjects")))
            if len(merge.subjects) != self._size:  # nobody on the list may be overlooked in silence
                raise ServiceError(f"the parts of the list hold {len(merge.subjects)} of {self._size} entries")
            self._merge = merge
        return self._merge

    def _ask(self, method: str, *given: object) -> list[Any]:
        """Ask every part at once; a part that is not there fails the whole, so that nobody is overlooked."""
        with _as_own_errors():
            try:
                asked = [getattr(matcher, method).remote(*given) for matcher in self._matchers]
                return ray.get(asked, timeout=_ANSWER_S)
            except ActorDiedError:
                self._matchers = self._find()
                raise


def cause_of(error: RayTaskError) -> LfrError:
    """Return lfr's own error out of Ray's."""
    cause = error.cause
    if isinstance(cause, RayTaskError):
        return cause_of(cause)
    if isinstance(cause, LfrError):
        return cause
    return ServiceError(f"a part of the service failed ({type(cause).__name__}); send it again")


@contextmanager
def _as_own_errors() -> Iterator[None]:
    """Raise what comes from other processes as lfr's errors: this is the border."""
    try:
        yield
    except RayTaskError as error:
        raise cause_of(error) from error
    except (RayError, TimeoutError) as error:
        raise ServiceError(
            f"a part of the service is starting again ({type(error).__name__}); send it again"
        ) from error


def _faces(response: DeploymentResponse[Faces | LfrError]) -> Faces:
    with _as_own_errors():
        found = response.result(timeout_s=_ANSWER_S)
    if isinstance(found, LfrError):
        raise found
    return found
