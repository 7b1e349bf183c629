"""What stands where an id should, of somebody who means harm."""

from __future__ import annotations

__all__ = ["HOSTILE"]

HOSTILE = {
    "unknown": "none-0",
    "a header": "a%0d%0aX-Injected:%20yes",
    "a path": "..%2f..%2f..%2fetc%2fpasswd",
    "a statement": "'%3b%20DROP%20TABLE%20deployment--",
    "long": "x" * 5_000,
    "not ascii": "%e2%80%ae%f0%9f%92%a3",
    "a number": "-9" + "9" * 40,
}
