"""Daft tells nobody of its use."""

from __future__ import annotations

import os

os.environ["DAFT_ANALYTICS_ENABLED"] = "0"
os.environ["DO_NOT_TRACK"] = "true"
os.environ["DAFT_PROGRESS_BAR"] = "0"
