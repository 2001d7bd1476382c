"""The tables of this step."""

from pydantic import BaseModel

from streetineq_assets.imagery.found import FOUND
from streetineq_assets.images.tables import CAPTURES
from streetineq_assets.tables import column, schema

_LOCATION = column("location_id", "string", "the location, as in the names of its images")
_CAPTURE = [CAPTURES.field(name) for name in CAPTURES.names if name != "location_id"]
_TAKEN = [field for field in _CAPTURE if field.name not in ("capture_id", "projection")]

FETCHED, REJECTED, MISSING = "fetched", "rejected", "missing"  # of IMAGERY
CAPTURES_TAR, RECORDING_FILE = "captures.tar", "recording.jsonl.gz"

WANTED = schema(
    _LOCATION,
    column("area", "string", "area, such as an LSOA"),
    column("postcode", "string", "which it is; null for a point of a grid", nullable=True),
    column("lat", "float64", "latitude, WGS84", unit="degrees"),
    column("lon", "float64", "longitude, WGS84", unit="degrees"),
)
_VIEW = [
    column("view", "string", "a, b, c or d"),
    column("heading", "int16", "direction of the view, from true north", unit="degrees"),
]
_CHOSEN = [
    column("capture_id", "string", "the provider's capture that shows it, if any", nullable=True),
    column(
        "offset_deg",
        "float64",
        "by how much the capture looks past the heading; 0 of a panorama",
        unit="degrees",
        nullable=True,
    ),
    column("metres", "float64", "from the location to the capture", unit="metres", nullable=True),
]
IMAGERY_PLAN = schema(
    *WANTED,
    *_VIEW,
    column("status", "string", "planned, or gap where the location cannot be shown whole"),
    column("reason", "string", "why there is a gap", nullable=True),
    *_CHOSEN,
    column("bucket", "string", "partition of `imagery` that fetches it"),
)
PLAN_CAPTURES = schema(
    *(FOUND.field(name) for name in FOUND.names if name not in ("location_id", "reason")),
    column("planned", "bool", "whether it is to be fetched"),
    column("reason", "string", "why it may not be, whatever it shows", nullable=True),
)
IMAGERY = schema(
    _LOCATION,
    *_VIEW,
    column("status", "string", "fetched, rejected or missing"),
    column("reason", "string", "why it was not fetched", nullable=True),
    *_CHOSEN,
    column("projection", "string", "equirectangular or perspective", nullable=True),
    *_TAKEN,
    column("member", "string", "name in captures.tar", nullable=True),
    column("size_bytes", "int64", "size of the image as fetched", unit="bytes", nullable=True),
    column("sha256", "string", "of the image as fetched", nullable=True),
)


class PlanRecord(BaseModel):
    """What fetching a city's plan would take, by the provider's metadata.

    Attributes:
        gigabytes: estimated by the size of the captures in pixels.
        n_requests: for links and pictures.
        hours: at the pace of the study's requests and of a usual line.
    """

    n_images: int
    gigabytes: float
    n_requests: int
    hours: float
