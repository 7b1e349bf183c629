"""``lfr bench serve``: the service against the same pipeline in one process, in one run on one machine.

`footage` says what is sent and who is listed; `sides` are the two ways a frame takes, `feed` is the way of a
recording that the service reads itself; `matching` asks the matcher from a process of the node; `consumption` counts
what the service's processes use; `installed` what a field unit has to install; `measuring` makes the rows, out of
`rows`.
"""

from lfr.cli.service_benchmark.footage import Footage, Sizes, read_footage
from lfr.cli.service_benchmark.measuring import bench_serve, feed_row, frame_rows, matcher_row

__all__ = ["Footage", "Sizes", "bench_serve", "feed_row", "frame_rows", "matcher_row", "read_footage"]
