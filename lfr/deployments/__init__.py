"""Deployments: who is looked for, where, when and with what, authorised by a second person."""

from lfr.deployments.approval import FIELD
from lfr.deployments.calibrations import SHIPPED, calibration_named, served_fpir, shipped_calibration
from lfr.deployments.creating import DEMO_WINDOW, authorise, create_deployment
from lfr.deployments.feeds import Feed, FeedState, active_feeds, begin_feed, end_feed, feed_of, note_feed
from lfr.deployments.listing import DeploymentView, list_deployments, show_deployment
from lfr.deployments.live import (
    DEMO_NOTICE,
    LiveDeployment,
    Standing,
    check_live,
    ended_by,
    live,
    live_now,
    record_preview,
    record_use,
    standing,
    still_live,
)
from lfr.deployments.request import REQUEST_TEMPLATE, DeploymentRequest, read_request, request_from
from lfr.deployments.running import end, end_overdue, start, withdraw

__all__ = [
    "DEMO_NOTICE",
    "DEMO_WINDOW",
    "FIELD",
    "REQUEST_TEMPLATE",
    "SHIPPED",
    "DeploymentRequest",
    "DeploymentView",
    "Feed",
    "FeedState",
    "LiveDeployment",
    "Standing",
    "active_feeds",
    "authorise",
    "begin_feed",
    "calibration_named",
    "check_live",
    "create_deployment",
    "end",
    "end_feed",
    "end_overdue",
    "ended_by",
    "feed_of",
    "list_deployments",
    "live",
    "live_now",
    "note_feed",
    "read_request",
    "record_preview",
    "record_use",
    "request_from",
    "served_fpir",
    "shipped_calibration",
    "show_deployment",
    "standing",
    "start",
    "still_live",
    "withdraw",
]
