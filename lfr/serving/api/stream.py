"""Many frames over one WebSocket: each is acknowledged by its answer, in order."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import struct
from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from fastapi.concurrency import run_in_threadpool

from lfr.access import Principal
from lfr.deployments import LiveDeployment
from lfr.errors import InputError, LfrError
from lfr.serving.api.frames import answer_document, observe, plausible
from lfr.serving.api.problems import problem_of
from lfr.serving.api.service import Service
from lfr.serving.order import Position

__all__ = ["HEADER", "router"]

router = APIRouter()

HEADER = struct.Struct(">q")
"""Before each frame: microseconds since 1970 at which it was taken, big-endian."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_POLICY, _TOO_BIG = 1008, 1009


@router.websocket("/deployments/{deployment_id}/cameras/{camera_id}/stream")
async def stream(websocket: WebSocket, deployment_id: str, camera_id: str) -> None:
    """Take frames of one camera until the connection ends, which ends their tracks.

    A message is the frame's time, `HEADER`, and the JPEG or PNG. Each is answered, in order, by the document that a
    post of it would get, or by a problem document; at most ``frames_waiting`` are taken before one is answered.
    Without a key that may send frames the connection is refused; ``silent_s`` in which no frame comes, or no answer is
    taken, end it.
    """
    service: Service = websocket.app.state.service
    try:
        principal = await run_in_threadpool(service.authenticate, websocket)
        granted = await run_in_threadpool(service.live, principal, deployment_id)
        granted.check_camera(camera_id)
    except LfrError as error:
        await websocket.close(_POLICY, str(error)[:100])
        return
    await websocket.accept()
    answers: asyncio.Queue[asyncio.Task[dict[str, Any]] | None] = asyncio.Queue()
    places = asyncio.Semaphore(service.limits.frames_waiting)
    writer = asyncio.create_task(_answer(websocket, answers, places))
    name = secrets.token_hex(8)
    try:
        await _take(websocket, service, principal, granted, camera_id, name, answers, places)
    finally:
        if not writer.done():
            answers.put_nowait(None)
            with contextlib.suppress(TimeoutError, RuntimeError, WebSocketDisconnect):
                await asyncio.wait_for(writer, service.limits.silent_s)
        writer.cancel()
        with contextlib.suppress(LfrError):
            await service.cameras.end_stream(principal, granted, camera_id, name)


async def _take(
    websocket: WebSocket,
    service: Service,
    principal: Principal,
    granted: LiveDeployment,
    camera_id: str,
    name: str,
    answers: asyncio.Queue[asyncio.Task[dict[str, Any]] | None],
    places: asyncio.Semaphore,
) -> None:
    index, silent_s = 0, service.limits.silent_s
    while True:
        try:
            await asyncio.wait_for(places.acquire(), silent_s)  # waits while too many are on their way
            message = await asyncio.wait_for(websocket.receive_bytes(), silent_s)
        except TimeoutError:
            await websocket.close(_POLICY, f"no frame came, or no answer went, for {silent_s:g} seconds")
            return
        except (WebSocketDisconnect, KeyError, RuntimeError):  # it went, or sent text
            return
        if len(message) > service.limits.frame_bytes + HEADER.size:
            await websocket.close(_TOO_BIG, f"over {service.limits.frame_bytes} bytes, which is the limit")
            return
        frame = asyncio.create_task(_frame(service, principal, granted.id, camera_id, name, index, message))
        answers.put_nowait(frame)
        index += 1


async def _frame(
    service: Service,
    principal: Principal,
    deployment_id: str,
    camera_id: str,
    name: str,
    index: int,
    message: bytes,
) -> dict[str, Any]:
    began = asyncio.get_running_loop().time()
    try:
        if len(message) <= HEADER.size:
            raise InputError(f"a message is {HEADER.size} bytes of time, then a frame; this one has {len(message)}")
        try:
            captured_at = _EPOCH + timedelta(microseconds=HEADER.unpack_from(message)[0])
        except OverflowError as error:
            raise InputError("the time before the frame is none that can be used") from error
        granted = await run_in_threadpool(service.live, principal, deployment_id)
        service.frames.take(f"{deployment_id} {camera_id}")
        position = Position(plausible(captured_at), name, index)
        answer = await service.cameras.frame(principal, granted, camera_id, message[HEADER.size :], position)
    except LfrError as error:
        return {"index": index, **problem_of(error)}
    observe(service, granted, camera_id, answer, total_s=asyncio.get_running_loop().time() - began)
    return {"index": index, **answer_document(granted, camera_id, answer)}


async def _answer(
    websocket: WebSocket, answers: asyncio.Queue[asyncio.Task[dict[str, Any]] | None], places: asyncio.Semaphore
) -> None:
    while (task := await answers.get()) is not None:
        await websocket.send_text(json.dumps(await task))
        places.release()
