"""What a user has after `pip install resonate-nb`: run by .ci/run in an environment that holds the wheel and no extras.

Called from an empty directory with an empty home, with the names of the notebooks that the wheel must carry.
"""

import subprocess
import sys
from importlib.metadata import files
from pathlib import Path

import resonate_nb
from resonate_nb import durable


@durable
def double(number):
    print("the body ran")
    return 2 * number


def in_a_new_process() -> list[str]:
    """What a process prints that calls the function twice."""
    run = subprocess.run([sys.executable, __file__, "--calls"], stdout=subprocess.PIPE, text=True, check=True)
    return run.stdout.splitlines()


def main() -> None:
    if sys.argv[1:] == ["--calls"]:
        print(double(21), double(21))
        return

    package = Path(resonate_nb.__file__).parent
    assert package.is_relative_to(sys.prefix), f"not the installed wheel: {package}"

    first, second = in_a_new_process(), in_a_new_process()
    assert ["the body ran", "42 42"] == first, first
    assert ["42 42"] == second, second
    print("smoke: the body ran once in two calls, and not at all in the next process")

    command = Path(sys.executable).parent / "resonate-nb"
    demo = subprocess.run([command, "demo"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert demo.returncode != 0, demo.stdout
    assert "resonate-nb[lab]" in demo.stdout, demo.stdout
    assert "Traceback" not in demo.stdout, demo.stdout
    print("smoke: without the lab extra, `resonate-nb demo` says what to install")

    carried = {path.name for path in (package / "notebooks").glob("*.ipynb")}
    assert sys.argv[1:], "no notebooks were named"
    assert set(sys.argv[1:]) == carried, f"the wheel carries {sorted(carried)}"
    names = {path.name for path in files("resonate-nb") or ()}
    assert {"py.typed", "LICENSE"} <= names, sorted(names)
    print("smoke: the wheel carries the notebooks, the licence and the marker of its types")


if __name__ == "__main__":
    main()
