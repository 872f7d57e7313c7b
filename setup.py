"""Packages and offline assets; everything else stands in pyproject.toml.

`presets/` and `configs/` live at the top of the repository, where people look for them, and are installed inside the
package as `flexlogger.presets` and `flexlogger.configs`.
"""

from __future__ import annotations

import runpy
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).resolve().parent


class BuildWithAssets(build_py):
    """Adds the dashboard's offline assets to the wheel where npm is there; without npm it is built without them."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        # By path: the package itself cannot be imported in an isolated build, its dependencies are not there.
        assets = runpy.run_path(str(HERE / "flexlogger" / "server" / "assets.py"))
        static = Path(self.build_lib, "flexlogger", "server", "static")
        if assets["ready"](static):
            return
        try:
            assets["fetch"](static)
        except assets["AssetError"] as error:
            self.warn(f"this wheel carries no dashboard assets: {error}")


setup(
    packages=[
        *find_packages(include=["flexlogger", "flexlogger.*"]),
        "flexlogger.presets",
        "flexlogger.configs",
    ],
    package_dir={"flexlogger": "flexlogger", "flexlogger.presets": "presets", "flexlogger.configs": "configs"},
    package_data={
        "flexlogger": ["py.typed"],
        "flexlogger.presets": ["*.yaml"],
        "flexlogger.configs": ["*.yaml"],
        "flexlogger.server": ["assets.lock.json", "draw.js", "static/**"],
        "flexlogger.report": ["page.css", "page.js"],
    },
    cmdclass={"build_py": BuildWithAssets},
)
