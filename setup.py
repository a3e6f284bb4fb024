"""Puts presets, losses and examples, which lie beside the package in a checkout, into the wheel."""

import pathlib
import shutil

from setuptools import setup
from setuptools.command.build_py import build_py

SHIPPED = ("gin", "losses", "examples")
LEFT_OUT = ("run", "*.png", "*.mp4", "*.ipynb", "__pycache__")  # what only a checkout needs


class BuildWithShipped(build_py):
    """Builds the package, `epg_tf/shipped` included (`epg_tf.files.SHIPPED`)."""

    def run(self):
        """Copies what ships, unless the package stays where it is."""
        super().run()
        if self.editable_mode:
            return
        for name in SHIPPED:
            to = pathlib.Path(self.build_lib, "epg_tf", "shipped", name)
            shutil.rmtree(to, ignore_errors=True)
            shutil.copytree(name, to, ignore=shutil.ignore_patterns(*LEFT_OUT))


setup(cmdclass={"build_py": BuildWithShipped})
