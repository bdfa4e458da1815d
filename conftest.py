"""What the kit's tests share: pytest run inside a test, and properties that are not timed."""

from __future__ import annotations

import hypothesis

pytest_plugins = ["pytester"]

hypothesis.settings.register_profile("kit", deadline=None)
hypothesis.settings.load_profile("kit")
