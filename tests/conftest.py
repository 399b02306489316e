"""How hypothesis runs: few examples while one works, many in CI; never against a deadline."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

_COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("dev", max_examples=25, **_COMMON)  # type: ignore[arg-type]  # mixed values
settings.register_profile("ci", max_examples=250, **_COMMON)  # type: ignore[arg-type]  # as above
settings.load_profile("ci" if os.environ.get("CI") else "dev")
