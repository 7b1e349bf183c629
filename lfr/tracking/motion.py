"""Where faces are going: one Kalman filter a face, all stepped together.

Each of centre x, centre y, log width and log height moves by itself at a
nearly constant velocity (white acceleration; Y. Bar-Shalom, X. R. Li,
T. Kirubarajan, "Estimation with Applications to Tracking and Navigation",
2001, section 6.2.2). The logarithm turns the growth of a face that comes
closer into a nearly constant velocity, and noise is in units of the face's
size, so one set of numbers serves faces of 20 and of 200 pixels. Steps are in
seconds: uneven frame intervals need no special case.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lfr.types import FloatArray

__all__ = ["Motion", "boxes_to_states"]

Float64 = NDArray[np.float64]

# Centre in face sizes, log size in itself, chosen on simulated crowds (walking heads bob and sway).
_MEASURED_STD = np.array([0.09, 0.09, 0.09, 0.09])
_START_SPEED_STD = np.array([3.0, 1.5, 0.6, 0.6])
_ACCELERATION = np.array([1.0, 1.0, 0.25, 0.25])


class Motion:
    """State of n faces, one row each.

    Attributes
    ----------
    state, speed
        (n, 4) centre x and y in pixels, log of width and height in pixels; and
        their change a second.
    """

    def __init__(self) -> None:
        self.state: Float64 = np.zeros((0, 4))
        self.speed: Float64 = np.zeros((0, 4))
        # Variances of state and speed, and their covariance; the four numbers of a face are independent.
        self._state_var: Float64 = np.zeros((0, 4))
        self._cross_var: Float64 = np.zeros((0, 4))
        self._speed_var: Float64 = np.zeros((0, 4))

    def __len__(self) -> int:
        return len(self.state)

    @property
    def xyxy(self) -> FloatArray:
        """(n, 4) boxes."""
        half = 0.5 * np.exp(self.state[:, 2:])
        centre = self.state[:, :2]
        return np.concatenate([centre - half, centre + half], axis=1).astype(np.float32)

    def start(self, measured: Float64) -> None:
        """Append (k, 4) faces seen for the first time, standing still for all that is known."""
        unit = _units(measured)
        self.state = np.concatenate([self.state, measured])
        self.speed = np.concatenate([self.speed, np.zeros_like(measured)])
        self._state_var = np.concatenate([self._state_var, (_MEASURED_STD * unit) ** 2])
        self._cross_var = np.concatenate([self._cross_var, np.zeros_like(measured)])
        self._speed_var = np.concatenate([self._speed_var, (_START_SPEED_STD * unit) ** 2])

    def keep(self, rows: NDArray[np.bool_]) -> None:
        """Drop the rows that a mask leaves out."""
        self.state, self.speed = self.state[rows], self.speed[rows]
        self._state_var, self._cross_var = self._state_var[rows], self._cross_var[rows]
        self._speed_var = self._speed_var[rows]

    def advance(self, elapsed_s: float) -> None:
        """Move every face on by a time."""
        noise = (_ACCELERATION * _units(self.state)) ** 2 * elapsed_s
        self.state = self.state + elapsed_s * self.speed
        self._state_var = (
            self._state_var
            + elapsed_s * (2.0 * self._cross_var + elapsed_s * self._speed_var)
            + noise * (elapsed_s**2 / 3.0)
        )
        self._cross_var = self._cross_var + elapsed_s * self._speed_var + noise * (elapsed_s / 2.0)
        self._speed_var = self._speed_var + noise

    def surprise(self, measured: Float64) -> tuple[Float64, Float64]:
        """How badly (m, 4) measured faces fit each state.

        Returns
        -------
        Squared Mahalanobis distance (n, m), and twice the negative log
        likelihood (n, m) up to a constant, with lengths in face sizes. The
        latter prefers, of two states equally near, the surer one, and says how
        little a state that has grown vague explains.
        """
        units = _units(self.state)
        variance = self._state_var / units**2 + _MEASURED_STD**2
        offset = (measured[None, :, :] - self.state[:, None, :]) / units[:, None, :]
        distance: Float64 = np.einsum("nmd,nd->nm", offset * offset, 1.0 / variance)
        return distance, distance + np.log(variance).sum(axis=1)[:, None]

    def correct(self, rows: NDArray[np.int64], measured: Float64) -> None:
        """Take (k, 4) measured faces into the states of ``rows``."""
        variance = self._state_var[rows] + (_MEASURED_STD * _units(measured)) ** 2
        gain = self._state_var[rows] / variance
        speed_gain = self._cross_var[rows] / variance
        offset = measured - self.state[rows]
        self.state[rows] += gain * offset
        self.speed[rows] += speed_gain * offset
        self._speed_var[rows] -= speed_gain * self._cross_var[rows]
        self._cross_var[rows] *= 1.0 - gain
        self._state_var[rows] *= 1.0 - gain


def boxes_to_states(xyxy: FloatArray) -> Float64:
    """(n, 4) centre x and y, log width and log height of boxes; sides under a pixel count as one."""
    boxes = xyxy.astype(np.float64)
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 1.0)
    return np.concatenate([(boxes[:, :2] + boxes[:, 2:]) / 2.0, np.log(sides)], axis=1)


def _units(states: Float64) -> Float64:
    """(n, 4) what noise is counted in: width, height, 1, 1."""
    units = np.ones_like(states)
    units[:, :2] = np.exp(states[:, 2:])
    return units
