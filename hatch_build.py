"""The package's build: compiles the native libraries beside their sources, where a C++ compiler is found.

A build without one still succeeds; it prints one line, and the NumPy and PyTorch engines take over.
"""

from __future__ import annotations

import runpy
import sys
import sysconfig
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NATIVE = ("export/asrc_export/engines/native/build.py", "train/asrc_train/kernels/native/build.py")
"""Files with ``build() -> Path of the library`` and the exception ``CannotBuild``, standard library only."""


class NativeLibraries(BuildHookInterface):  # type: ignore[type-arg]
    """Builds in the source tree, so that an editable install finds the libraries too."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called before the wheel is filled."""
        sys.path.insert(0, f"{self.root}/core")  # asrc_core.native.build, before it is installed
        for name in NATIVE:
            native = runpy.run_path(f"{self.root}/{name}")
            try:
                library = native["build"]()
            except native["CannotBuild"] as error:
                self.app.display_warning(f"{name}: not built, a slower engine takes over: {error}")
                continue
            self.app.display_info(f"{name}: built {library.name}")
            build_data["artifacts"].append(str(library.relative_to(self.root)))
            # Plain C interfaces: one wheel serves every Python version of a platform.
            build_data["pure_python"] = False
            build_data["tag"] = f"py3-none-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"
