"""What needs alerts and deployments together: retention, purge and its proof, the record, the field trial."""

from lfr.oversight.force_export import export_force
from lfr.oversight.force_opening import open_force_export
from lfr.oversight.forces import destroy_force
from lfr.oversight.log_reading import LogPage, check_log, read_log
from lfr.oversight.purge import purge
from lfr.oversight.record import CameraRecord, DeploymentRecord, deployment_record
from lfr.oversight.record_files import write_record
from lfr.oversight.sweep import SweepReport, sweep
from lfr.oversight.sweeper import Sweeper
from lfr.oversight.trial import record_pass
from lfr.oversight.withdrawal import Withdrawal, withdraw_and_purge

__all__ = [
    "CameraRecord",
    "DeploymentRecord",
    "LogPage",
    "SweepReport",
    "Sweeper",
    "Withdrawal",
    "check_log",
    "deployment_record",
    "destroy_force",
    "export_force",
    "open_force_export",
    "purge",
    "read_log",
    "record_pass",
    "sweep",
    "withdraw_and_purge",
    "write_record",
]
