"""All that a step imports, imported once: children of the fork server start from here.

Importing TensorFlow takes 8 s of CPU. No operation of it runs before a fork: its threads would be
missing in the children. The study's assets are defined here too, by the text in a variable.
"""

import importlib
import os
import pkgutil
import warnings

import streetineq_assets

_HEAVY = (
    "sqlite3",  # this and the next before TensorFlow, whose SQLite they would get
    "pyogrio",
    "tensorflow",
    "keras",
    "h5py",
    "duckdb",
    "esda",
    "geopandas",
    "libpysal",
    "matplotlib.pyplot",
    "openpyxl",
    "scipy.stats",
    "sklearn.gaussian_process",
    "sklearn.linear_model",
    "sklearn.metrics",
    "sklearn.neighbors",
    "xlrd",
)
_SERVERS = ("streetineq_assets.webserver", "streetineq_assets.__main__")

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    for name in _HEAVY:
        importlib.import_module(name)
    for found in pkgutil.walk_packages(streetineq_assets.__path__, "streetineq_assets."):
        if found.name not in _SERVERS:
            importlib.import_module(found.name)

    from streetineq_assets.devices import Device
    from streetineq_tests import harness

    # XLA takes longer to compile than these networks take to train.
    Device.jit_training = False
    if text := os.environ.get("STREETINEQ_FAULTS_STUDY"):
        harness._assets(text)
