"""conftest.py - what all suites share: the path to the simulator."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent / "engine"))
