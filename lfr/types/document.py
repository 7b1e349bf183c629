"""A frozen JSON document that carries the digest of its content, so that a change is seen."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from lfr.errors import CalibrationError

__all__ = ["DigestedDocument", "problems_of"]


class DigestedDocument(BaseModel):
    """What a calibration and its like have in common; ``kind`` is what errors call one."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    kind: ClassVar[str] = "document"

    @property
    def document(self) -> dict[str, Any]:
        """The content as JSON, without the digest."""
        return self.model_dump(mode="json")

    @property
    def digest(self) -> str:
        """SHA-256 over the content as canonical JSON: the document's id."""
        canonical = json.dumps(
            self.document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
        )
        return hashlib.sha256(canonical.encode()).hexdigest()

    @classmethod
    def from_document(cls, document: object, *, name: str) -> Self:
        """Return what a JSON document holds.

        Parameters
        ----------
        document
            Its fields, and ``digest`` besides.
        name
            What an error calls it.

        Raises
        ------
        CalibrationError
            A field is missing, unknown or wrong, or the digest is not that of the content.
        """
        if not isinstance(document, dict):
            raise CalibrationError(f"{name}: no {cls.kind} (a JSON object is wanted)")
        content = {key: value for key, value in document.items() if key != "digest"}
        try:
            read = cls.model_validate_json(json.dumps(content))
        except ValidationError as error:
            raise CalibrationError(f"{name}: no {cls.kind}: {problems_of(error)}") from error
        stated = document.get("digest")
        if stated != read.digest:
            raise CalibrationError(
                f"{name}: changed since it was made: it states digest {stated}, its content has {read.digest}"
            )
        return read

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file and verify its digest.

        Raises
        ------
        CalibrationError
            The file cannot be read, holds something else, or was changed since it was made.
        """
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise CalibrationError(f"{path}: cannot read the {cls.kind}: {error.strerror}") from error
        except (ValueError, RecursionError) as error:  # the latter of brackets within brackets
            raise CalibrationError(f"{path}: no {cls.kind}: not JSON ({error})") from error
        return cls.from_document(document, name=str(path))

    def write(self, path: Path) -> None:
        """Write it with its digest.

        Raises
        ------
        CalibrationError
            The file cannot be written.
        """
        text = json.dumps({"digest": self.digest, **self.document}, indent=2, ensure_ascii=False) + "\n"
        try:
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise CalibrationError(f"{path}: cannot write the {self.kind}: {error.strerror}") from error


def problems_of(error: ValidationError) -> str:
    """Return what a validation found, in one line: each field and what is wrong with it."""
    return "; ".join(
        f"{'.'.join(str(part) for part in problem['loc']) or 'it'}: {problem['msg'].removeprefix('Value error, ')}"
        for problem in error.errors()
    )
