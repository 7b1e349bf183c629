"""Alerts: advice that a person decides on, raised only inside a live, authorised deployment."""

from lfr.alerts.adjudication import adjudicate, retract
from lfr.alerts.counting import AlertCounts, count_faces, counts, counts_by_camera
from lfr.alerts.envelope import Envelope, envelope_for_key, envelope_for_passphrase
from lfr.alerts.events import AlertEvent, events_after, last_sequence
from lfr.alerts.evidence import OpenedEvidence, open_evidence
from lfr.alerts.handing_over import HandedOver, hand_over
from lfr.alerts.history import AlertHistory, AlertSummary, dismissed, list_alerts, show_alert
from lfr.alerts.images import count_other_references, read_probe, read_reference_image
from lfr.alerts.outcomes import record_outcome
from lfr.alerts.raising import raise_alert, raise_alerts
from lfr.alerts.retention import hold, lapse_all, lapse_overdue, release_hold, standing_holds
from lfr.alerts.sighting import RaisedAlert, Sighting
from lfr.alerts.states import ALERT_STATES, OUTCOME_KINDS, OUTCOME_STATES, RETRACTION_WINDOW

__all__ = [
    "ALERT_STATES",
    "OUTCOME_KINDS",
    "OUTCOME_STATES",
    "RETRACTION_WINDOW",
    "AlertCounts",
    "AlertEvent",
    "AlertHistory",
    "AlertSummary",
    "Envelope",
    "HandedOver",
    "OpenedEvidence",
    "RaisedAlert",
    "Sighting",
    "adjudicate",
    "count_faces",
    "count_other_references",
    "counts",
    "counts_by_camera",
    "dismissed",
    "envelope_for_key",
    "envelope_for_passphrase",
    "events_after",
    "hand_over",
    "hold",
    "lapse_all",
    "lapse_overdue",
    "last_sequence",
    "list_alerts",
    "open_evidence",
    "raise_alert",
    "raise_alerts",
    "read_probe",
    "read_reference_image",
    "record_outcome",
    "release_hold",
    "retract",
    "show_alert",
    "standing_holds",
]
