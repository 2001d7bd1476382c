"""The tables of this step."""

from streetineq_assets.tables import Origins, column, schema

EQUIRECTANGULAR, PERSPECTIVE = "equirectangular", "perspective"
_PROJECTION = "equirectangular (a panorama, of which the view is cut) or perspective (a photograph)"
_COMPASS = "direction in which the middle of the capture looks, clockwise from true north"
_PITCH = "how far the camera's front is raised above the horizon"
_ROLL = "how far the camera's right side is lowered"
# A picture with its direction, before it is the view of a location: by a list of the study's, or
# acquired from a provider.
CAPTURES = schema(
    column("capture_id", "string", "the capture, as in the name of its file"),
    column("location_id", "string", "the location that it shows; null: by distance", nullable=True),
    column("lat", "float64", "latitude, WGS84", unit="degrees", nullable=True),
    column("lon", "float64", "longitude, WGS84", unit="degrees", nullable=True),
    column("projection", "string", _PROJECTION),
    column("compass_deg", "float64", _COMPASS, unit="degrees", nullable=True),
    column("pitch_deg", "float64", _PITCH, unit="degrees", nullable=True),
    column("roll_deg", "float64", _ROLL, unit="degrees", nullable=True),
    column(
        "second_compass_deg",
        "float64",
        "the same direction by another measurement, such as the way that the camera went",
        unit="degrees",
        nullable=True,
    ),
    column("captured_at", "timestamp[ms]", "when it was taken, UTC", nullable=True),
    column("provider", "string", "who gave it", nullable=True),
    column("licence", "string", "under which licence, an SPDX identifier if known", nullable=True),
    column("creator", "string", "who took it, as attribution names them", nullable=True),
)
USED, NOT_NEEDED, REJECTED, MISSING = "used", "not_needed", "rejected", "missing"
_SHOWN = column(
    "location_id",
    "string",
    "the location that it names, else the nearest of those that it shows",
    nullable=True,
)
CAPTURE_USE = schema(
    *CAPTURES.set(CAPTURES.names.index("location_id"), _SHOWN),
    column("status", "string", "used; not_needed; rejected; or missing, if no file bears its name"),
    column("reason", "string", "why it is rejected or missing", nullable=True),
    column("n_locations", "int64", "locations of which it shows a view"),
    column("n_views", "int64", "views that it shows, of all of these"),
    column(
        "metres",
        "float64",
        "from that location to the capture; of one not used, from the nearest listed location",
        unit="metres",
        nullable=True,
    ),
    column(
        "offset_deg",
        "float64",
        "how far it looks to the right of the heading of its view; 0 for a panorama",
        unit="degrees",
        nullable=True,
    ),
)
# Held in memory only: a list of captures as it was read.
CAPTURE_LIST = schema(
    *CAPTURES,
    column("compass_problem", "string", "why compass_deg is null", nullable=True),
)

STREET_IMAGES = schema(
    column("location_id", "string", "the listed location"),
    column("view", "string", "a, b, c or d"),
    column("heading", "int16", "direction of the view, counted from the first", unit="degrees"),
    column("path", "string", "file or archive below the city's image folder", nullable=True),
    column("member", "string", "name in the archive; null outside archives", nullable=True),
    column("size_bytes", "int64", "size of the image", unit="bytes", nullable=True),
    column("modified_ns", "int64", "time of change since 1970", unit="nanoseconds", nullable=True),
    column("status", "string", "present, missing or unreadable"),
    column("reason", "string", "why it is not present", nullable=True),
    column("bucket", "string", "partition of image_codes that encodes it"),
    column(
        "capture_id",
        "string",
        "the capture that shows it; null for an image by name",
        nullable=True,
    ),
    column("projection", "string", _PROJECTION, nullable=True),
    column("compass_deg", "float64", _COMPASS, unit="degrees", nullable=True),
    column("pitch_deg", "float64", _PITCH, unit="degrees", nullable=True),
    column("roll_deg", "float64", _ROLL, unit="degrees", nullable=True),
)
FOREIGN_FILES = schema(
    column("path", "string", "file or archive below the city's image folder"),
    column("member", "string", "name in the archive; null outside archives", nullable=True),
    column("reason", "string", "why it is no view of a listed location"),
)
ARCHIVE_MEMBERS = schema(
    column("path", "string", "archive below the city's image folder"),
    column("archive_bytes", "int64", "size of the archive", unit="bytes"),
    column("archive_modified_ns", "int64", "its time of change since 1970", unit="nanoseconds"),
    column("damage", "string", "what is wrong with the archive", nullable=True),
    column("member", "string", "file in the archive; null for the archive itself", nullable=True),
    column("size_bytes", "int64", "size of the member, unpacked", unit="bytes"),
    column("modified_ns", "int64", "the member's time of change since 1970", unit="nanoseconds"),
    column("refused", "string", "why the member is never read", nullable=True),
)
# Held in memory only: which capture shows a view, or why none does.
ASSIGNED_VIEWS = schema(
    column("location_id", "string", "the location"),
    column("view", "string", "a, b, c or d"),
    column("heading", "int16", "direction of the view, clockwise from north", unit="degrees"),
    column("capture_id", "string", "the capture that shows it", nullable=True),
    column(
        "offset_deg",
        "float64",
        "how far the capture looks to the right of the heading; 0 for a panorama",
        unit="degrees",
        nullable=True,
    ),
    column("metres", "float64", "from the location to it", unit="metres", nullable=True),
    column("reason", "string", "why no capture shows it", nullable=True),
)
# Held in memory only: a row for each file outside archives and each member of one.
NAMED_FILES = schema(
    column("path", "string", "file or archive below the city's image folder"),
    column("member", "string", "name in the archive; null outside archives", nullable=True),
    column("size_bytes", "int64", "size of the file", unit="bytes", nullable=True),
    column("modified_ns", "int64", "time of change since 1970", unit="nanoseconds", nullable=True),
    column("problem", "string", "why its bytes cannot be used", nullable=True),
)
NAMED_CAPTURES = schema(
    column("capture_id", "string", "the capture, as in the name of its file"), *NAMED_FILES
)

# Why a postcode does not place a location. A location without an area has the first of these that
# holds for any of its postcodes.
POSTCODE_REASONS = ("terminated_before_capture", "no_lsoa", "outside_city", "unknown_postcode")
# Why coordinates do not place a location without a postcode; it may lie outside the city too.
POSITION_REASONS = ("no_postcode_near", "outside_all_areas", "in_several_areas", "no_position")
REASONS = POSTCODE_REASONS + POSITION_REASONS
# What placed a location.
BY_POSTCODE, BY_NEAREST_POSTCODE, BY_BOUNDARIES = "postcode", "nearest_postcode", "boundaries"
WAYS = (BY_POSTCODE, BY_NEAREST_POSTCODE, BY_BOUNDARIES)
LOCATIONS = schema(
    column("location_id", "string", "the location, as in the names of its images"),
    column(
        "postcodes",
        "string",
        "all postcodes that it serves, listed or the nearest, joined by semicolons",
    ),
    column("n_postcodes", "int64", "how many these are"),
    column(
        "oa",
        "string",
        "output area; null when rejected or placed by boundaries",
        nullable=True,
    ),
    column("area", "string", "area in which it lies, such as an LSOA", nullable=True),
    column("msoa", "string", "middle layer super output area", nullable=True),
    column(
        "weight",
        "int64",
        "live small-user postcodes that it serves in its LSOA at the study's date; 1 by boundaries",
    ),
    column(
        "lat",
        "float64",
        "latitude, WGS84: as listed, else the mean of the postcodes that place it",
        unit="degrees",
        nullable=True,
    ),
    column("lon", "float64", "longitude, WGS84", unit="degrees", nullable=True),
    column(
        "captured_at",
        "timestamp[ms]",
        "day of the images, or the first of their month; null if unknown",
        nullable=True,
    ),
    column("provider", "string", "who took the images, as listed", nullable=True),
    column("licence", "string", "under which licence, as listed", nullable=True),
    column("creator", "string", "who is to be named as their author, as listed", nullable=True),
    column("status", "string", "matched or rejected"),
    column("reason", "string", "why it was rejected; null when matched", nullable=True),
    column(
        "placed_by",
        "string",
        "postcode, nearest_postcode or boundaries; null when rejected",
        nullable=True,
    ),
)
_AS_LISTED = ("captured_at", "provider", "licence", "creator")
LOCATIONS_ORIGINS: Origins = {
    **{name: [("postcode_lsoa", name)] for name in ("oa", "area", "msoa")},
    "location_id": [("location_list", "location_id")],
    "postcodes": [("location_list", "postcode")],
    "n_postcodes": [("location_list", "postcode")],
    "placed_by": [("location_list", "postcode")],
    "weight": [("postcode_lsoa", n) for n in ("usertype", "introduced", "terminated")],
    "lat": [("location_list", "lat"), ("postcode_lsoa", "lat")],
    "lon": [("location_list", "lon"), ("postcode_lsoa", "lon")],
    **{name: [("location_list", name)] for name in _AS_LISTED},
}
LOCATION_LIST = schema(
    column("line", "int64", "line of the file"),
    column("location_id", "string", "the location, as in the names of its images"),
    column("postcode", "string", "a postcode that it serves, as written", nullable=True),
    column("lat", "float64", "latitude, WGS84", unit="degrees", nullable=True),
    column("lon", "float64", "longitude, WGS84", unit="degrees", nullable=True),
    column("captured_at", "timestamp[ms]", "day of the images", nullable=True),
    column("provider", "string", "who took the images", nullable=True),
    column("licence", "string", "under which licence", nullable=True),
    column("creator", "string", "who took them, as attribution names them", nullable=True),
    column("stated_lsoa", "string", "LSOA that the list states", nullable=True),
    column("stated_city", "string", "city that the list states", nullable=True),
)

_ALLOWED = "`yes`, `no` or `unknown`: whether {}"
IMAGE_RIGHTS = schema(
    column("provider", "string", "who took the images, by our key; `unknown` if not listed"),
    column("licence", "string", "SPDX identifier of the licence; `unknown` if not listed"),
    column("as_written", "string", "provider and licence as the list writes them, at most three"),
    column("n_locations", "int64", "locations of the city"),
    column("store_images", "string", _ALLOWED.format("images may be stored")),
    column("derive_codes", "string", _ALLOWED.format("codes may be made of them")),
    column("publish_codes", "string", _ALLOWED.format("codes may be given to others")),
    column("show_images", "string", _ALLOWED.format("images may be shown to others")),
    column("conditions", "string", "under which, in words", nullable=True),
    column("source", "string", "where the terms stand, and when they were read", nullable=True),
    column("agreement", "string", "the study's own agreement that comes first", nullable=True),
)
