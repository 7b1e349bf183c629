import csv
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import lfr
from lfr.sources.demo import demo_manifest, demo_portraits


def test_there_are_136_portraits_of_99_subjects_of_whom_19_have_several() -> None:
    portraits = demo_portraits()
    counts = Counter(portrait.subject_id for portrait in portraits)
    assert (len(portraits), len(counts)) == (136, 99)
    assert sum(count > 1 for count in counts.values()) == 19


def test_every_portrait_is_224_pixels_wide_and_high() -> None:
    assert {portrait.read().shape for portrait in demo_portraits()} == {(224, 224, 3)}


def test_the_first_variant_of_a_subject_comes_first() -> None:
    names = [portrait.path.stem for portrait in demo_portraits()]
    assert names == sorted(names)
    assert names[0] == "s001_a"


def test_the_manifest_says_of_each_picture_what_it_was_made_of() -> None:
    rows = list(csv.DictReader(demo_manifest().read_text(encoding="utf-8").splitlines()))
    assert {row["n_sources"] for row in rows} == {"3", "4"}
    assert {row["path"] for row in rows} == {path.name for path in demo_manifest().parent.glob("*.jpg")}


def test_the_terms_lie_beside_the_pictures() -> None:
    notice = (demo_manifest().parent / "README.md").read_text(encoding="utf-8")
    assert "not** under the Apache-2.0 licence" in notice
    assert "never enrol one beside real people" in notice


def test_a_build_without_them_says_so_in_one_line(tmp_path: Path) -> None:
    package = Path(lfr.__file__).parent
    shutil.copytree(package, tmp_path / "lfr", ignore=shutil.ignore_patterns("demo_faces", "__pycache__"))
    ask = (
        "from lfr.errors import InputError\n"
        "from lfr.sources.demo import demo_portraits\n"
        "try:\n    demo_portraits()\n"
        "except InputError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", ask], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "LFR_BUILD_WITHOUT_DEMO_FACES" in done.stdout
    assert done.stdout.count("\n") == 1
