"""The errors that a user can cause and mend.

Each carries one complete sentence: what is wrong, where, and what to do. Programming errors are not
here: they stay the exceptions of Python and of the libraries.
"""


class StreetineqError(Exception):
    """Base of all errors whose message is meant for the person who runs the study."""


class StudyError(StreetineqError):
    """`study.toml` is missing, malformed or names something that does not exist."""


class SourceError(StreetineqError):
    """An input file is malformed: the message names file, line or column, and remedy."""


class SourceMissingError(StreetineqError):
    """An input file is absent: its outcomes or city become unavailable, nothing else stops."""


class StoreError(StreetineqError):
    """An artefact is absent or does not match its manifest: the message names the asset to run."""


class DeviceError(StreetineqError):
    """The asked-for accelerator cannot be had."""


class TrainingError(StreetineqError):
    """A training cannot start or go on: the message names the fold and what to change."""
