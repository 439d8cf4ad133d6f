"""Lets tests here use the random traffic that routing's own tests play to a slow router."""

import sys
from pathlib import Path

ROOT = str(Path(__file__).resolve().parents[4])
if ROOT not in sys.path:
    sys.path.append(ROOT)
