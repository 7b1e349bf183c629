"""A small camera for tests: RTSP 1.0 (RFC 2326) with JPEG in RTP (RFC 2435), all over TCP on 127.0.0.1.

Unless it is given another, its picture is one colour on the left, another on
the right, and a bar code of the frame's number along the bottom, so that a
test can tell what arrived.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

import cv2
import numpy as np

from lfr.types import Pixels

__all__ = ["LEFT_BGR", "RIGHT_BGR", "RtspCamera", "frame_number"]

LEFT_BGR = (40, 60, 200)
RIGHT_BGR = (200, 120, 30)
_BITS = 10  # of the frame's number; one cell of two JPEG units each
_CELL = 16
_WIDTH, _HEIGHT = _BITS * _CELL, 96
_MOST_CLIENTS = 4
_MOST_HEADER_BYTES = 8192
_FRAGMENT_BYTES = 1000
_RTP_CLOCK_HZ = 90_000
_RTP_JPEG = 26
_JPEG_420 = 1
_TABLES_IN_BAND = 255


def frame_number(pixels: Pixels) -> int:
    """Read the bar code of a picture of `RtspCamera`, modulo 1024."""
    cells = pixels[-_CELL:].reshape(_CELL, _BITS, _CELL, 3).mean(axis=(0, 2, 3))
    return sum(1 << bit for bit in range(_BITS) if cells[bit] > 127)


class RtspCamera:
    """Films while it is on, whether or not anybody watches.

    Parameters
    ----------
    fps
        Frames a second.
    port
        Port on 127.0.0.1; 0 takes a free one and keeps it over `stop` and `start`.
    film
        Returns what it sees in a frame of a number: BGR with sides that are multiples of 16 below 2048.
    """

    def __init__(self, *, fps: int = 50, port: int = 0, film: Callable[[int], Pixels] | None = None) -> None:
        self.fps, self.port, self._film = fps, port, film or _picture
        self.silent = threading.Event()  # connections stay open, but no frame is sent
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._clients: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._began_s = time.monotonic()

    @property
    def url(self) -> str:
        """Where to watch."""
        return f"rtsp://127.0.0.1:{self.port}/camera"

    @property
    def filming(self) -> int:
        """Number of the frame that is being filmed."""
        return int((time.monotonic() - self._began_s) * self.fps)

    def start(self) -> None:
        """Listen."""
        self._stopping.clear()
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        self._spawn(self._accept)

    def stop(self) -> None:
        """Cut every connection and stop listening; returns when no thread is left."""
        self._stopping.set()
        with self._lock:
            sockets, self._clients = [self._listener, *self._clients], []
        for one in sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits on it
            one.close()
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _spawn(self, work: object, *arguments: socket.socket) -> None:
        assert callable(work)
        thread = threading.Thread(target=work, args=arguments, name="rtsp camera", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # `stop` closed the listener
            while True:
                client, _ = self._listener.accept()
                with self._lock:
                    if self._stopping.is_set() or len(self._clients) >= _MOST_CLIENTS:
                        client.close()
                        continue
                    self._clients.append(client)
                self._spawn(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        """Answer requests; from PLAY on another thread sends, and shares the socket under a lock."""
        sending = threading.Lock()
        over = threading.Event()
        with contextlib.suppress(OSError, ValueError):  # the client or `stop` hung up, or it speaks no RTSP
            while (request := _request(client)) is not None:
                method, headers = request
                if method == "RTCP":
                    continue
                with sending:
                    client.sendall(self._reply(method, headers))
                if method == "PLAY":
                    self._spawn(lambda one: self._send_frames(one, sending, over), client)
                if method == "TEARDOWN":
                    break
        over.set()
        with self._lock:
            if client in self._clients:
                self._clients.remove(client)
        with contextlib.suppress(OSError):
            client.close()

    def _reply(self, method: str, headers: dict[str, str]) -> bytes:
        extra, body = ["Session: 7"], ""
        if method == "OPTIONS":
            extra = ["Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN"]
        elif method == "DESCRIBE":
            extra = ["Content-Type: application/sdp", f"Content-Base: {self.url}/"]
            media = [f"m=video 0 RTP/AVP {_RTP_JPEG}", f"a=framerate:{self.fps}", "a=control:track1"]
            lines = ["v=0", "o=- 0 0 IN IP4 127.0.0.1", "s=camera", "c=IN IP4 127.0.0.1", "t=0 0", *media, ""]
            body = "\r\n".join(lines)
        elif method == "SETUP":
            if "interleaved" not in headers.get("transport", ""):
                return f"RTSP/1.0 461 Unsupported Transport\r\nCSeq: {headers['cseq']}\r\n\r\n".encode()
            extra.append("Transport: RTP/AVP/TCP;unicast;interleaved=0-1")
        head = ["RTSP/1.0 200 OK", f"CSeq: {headers['cseq']}", *extra, f"Content-Length: {len(body)}", "", ""]
        return ("\r\n".join(head) + body).encode()

    def _send_frames(self, client: socket.socket, sending: threading.Lock, over: threading.Event) -> None:
        sequence, sent = 0, -1
        with contextlib.suppress(OSError):
            while not (over.is_set() or self._stopping.is_set()):
                number = self.filming
                if number == sent or self.silent.is_set():
                    time.sleep(0.1 / self.fps)
                    continue
                sent = number
                timestamp = number * _RTP_CLOCK_HZ // self.fps
                for packet in _packets(self._film(number), sequence=sequence, timestamp=timestamp):
                    with sending:
                        client.sendall(struct.pack(">cBH", b"$", 0, len(packet)) + packet)
                    sequence += 1


def _picture(number: int) -> Pixels:
    picture = np.empty((_HEIGHT, _WIDTH, 3), np.uint8)
    picture[:, : _WIDTH // 2] = LEFT_BGR
    picture[:, _WIDTH // 2 :] = RIGHT_BGR
    for bit in range(_BITS):
        picture[-_CELL:, bit * _CELL : (bit + 1) * _CELL] = 255 if number >> bit & 1 else 0
    return picture


def _packets(picture: Pixels, *, sequence: int, timestamp: int) -> list[bytes]:
    """One frame as RTP packets: header, JPEG header, in the first the quantisation tables, a piece of the scan."""
    tables, scan = _tables_and_scan(picture)
    packets: list[bytes] = []
    for offset in range(0, len(scan), _FRAGMENT_BYTES):
        piece = scan[offset : offset + _FRAGMENT_BYTES]
        last = 0x80 if offset + len(piece) == len(scan) else 0
        rtp = struct.pack(">BBHII", 0x80, last | _RTP_JPEG, (sequence + len(packets)) % 2**16, timestamp % 2**32, 7)
        size = (_JPEG_420, _TABLES_IN_BAND, picture.shape[1] // 8, picture.shape[0] // 8)
        jpeg = struct.pack(">I", offset) + bytes(size)  # the top byte of the offset's four is type-specific: 0
        if offset == 0:
            jpeg += struct.pack(">BBH", 0, 0, len(tables)) + tables
        packets.append(rtp + jpeg + piece)
    return packets


def _tables_and_scan(picture: Pixels) -> tuple[bytes, bytes]:
    """Encode as baseline 4:2:0 JPEG with the standard Huffman tables, and take what RTP carries of it."""
    how = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420, cv2.IMWRITE_JPEG_QUALITY, 85]
    data = cv2.imencode(".jpg", picture, how)[1].tobytes()
    tables, at = b"", 2
    while True:
        marker, length = struct.unpack_from(">HH", data, at)
        body = data[at + 4 : at + 2 + length]
        at += 2 + length
        if marker == 0xFFDB:  # quantisation tables, each after one byte of precision and number
            tables += b"".join(body[start + 1 : start + 65] for start in range(0, len(body), 65))
        elif marker == 0xFFDA:  # start of scan: what follows is entropy-coded, up to the end marker
            return tables, data[at:-2]


def _request(client: socket.socket) -> tuple[str, dict[str, str]] | None:
    """Read one request, or one interleaved packet as method ``RTCP``; None when the client has gone."""
    data = client.recv(1)
    if data == b"$":
        length = struct.unpack(">BH", _exactly(client, 3))[1]
        _exactly(client, length)
        return "RTCP", {}
    while data and not data.endswith(b"\r\n\r\n"):
        byte = client.recv(1)
        if not byte or len(data) > _MOST_HEADER_BYTES:
            return None
        data += byte
    if not data:
        return None
    first, *rest = data.decode("ascii").strip().split("\r\n")
    pairs = (line.split(":", 1) for line in rest)
    return first.split()[0], {key.lower(): value.strip() for key, value in pairs}


def _exactly(client: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length:
        piece = client.recv(length - len(data))
        if not piece:
            raise ConnectionResetError
        data += piece
    return data
