"""What a camera wrote into a picture: where it stood, which way it looked, when, who took it.

Three kinds of notes are read. EXIF (CIPA DC-008): `GPSLatitude`, `GPSLongitude`, `GPSImgDirection`,
`GPSTrack`, `DateTimeOriginal` with its offset, `GPSDateStamp`, `Artist`, `Copyright`. XMP in the
namespace of panoramas (developers.google.com/streetview/spherical-metadata): `ProjectionType`,
`PoseHeadingDegrees`, `PosePitchDegrees`, `PoseRollDegrees`, sizes of the full panorama. And what
Mapillary's app and tools write as JSON into EXIF's `ImageDescription`: `MAPCompassHeading`,
`MAPLatitude`, `MAPLongitude`, `MAPCaptureTime` (UTC).

Only the head of a file is read; no picture is decoded. Notes are written by many programs and often
broken: what cannot be read is as if it were not there.
"""

import datetime as dt
import json
import math
import re
import struct
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from xml.etree import ElementTree

from PIL import ExifTags, Image

from streetineq_assets.images.captures import moment
from streetineq_assets.images.rights import find_terms
from streetineq_assets.images.tables import EQUIRECTANGULAR, PERSPECTIVE

_FORMATS = ("JPEG", "PNG", "WEBP")
_PANORAMAS = "{http://ns.google.com/photos/1.0/panorama/}"
_MOST_XMP_BYTES = 2**18
_ASPECT_TOLERANCE = 0.02  # of a panorama that says it is one
# A broken head makes Pillow fail anywhere in its parsers.
_BROKEN = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    Image.DecompressionBombError,
)
_CALCULATED = "=+-@\t\r\n "  # with which a spreadsheet begins to calculate
_GPS, _EXIF, _IFD = ExifTags.GPS, ExifTags.Base, ExifTags.IFD
_MAP_TIME = re.compile(r"([0-9]{4})_([0-9]{2})_([0-9]{2})_([0-9]{2})_([0-9]{2})_([0-9]{2})_[0-9]+")


@dataclass(frozen=True)
class Metadata:
    """What is known of a picture; None is unknown.

    Attributes:
        projection: `equirectangular` or `perspective`; None for a part of a panorama.
        lat, lon: WGS84 degrees.
        compass_deg: 0 to below 360, clockwise from north: of a panorama as it says, else as EXIF
            does, else as Mapillary's note does.
        is_magnetic: that is from magnetic north.
        pitch_deg, roll_deg: of panoramas, as in `tables.CAPTURES`.
        second_compass_deg: the way that the camera went, else another of these directions.
        captured_at: UTC, without a time zone; a clock time without an offset is taken for UTC
            where the satellites' is not there.
        licence: only where a note names one that the platform knows.
    """

    projection: str | None
    lat: float | None = None
    lon: float | None = None
    compass_deg: float | None = None
    is_magnetic: bool = False
    pitch_deg: float | None = None
    roll_deg: float | None = None
    second_compass_deg: float | None = None
    captured_at: dt.datetime | None = None
    creator: str | None = None
    licence: str | None = None


def read_metadata(picture: Path | IO[bytes]) -> Metadata | None:
    """What a camera wrote into a JPEG, PNG or WebP file; None where it is no such picture.

    A picture is a panorama where XMP says so, or where it is twice as wide as high to the pixel and
    names no focal length.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of sizes, and of broken notes
            with Image.open(picture, formats=_FORMATS) as opened:
                size, info = opened.size, opened.info
                notes = _Notes.of(info)
    except _BROKEN:
        return None
    return notes.metadata(*size)


@dataclass(frozen=True)
class _Notes:
    """The notes of a picture, as they were written."""

    main: Mapping[int, Any]
    exif: Mapping[int, Any]
    gps: Mapping[int, Any]
    panorama: Mapping[str, str]
    mapillary: Mapping[str, Any]

    @classmethod
    def of(cls, info: Mapping[Any, Any]) -> "_Notes":
        exif = Image.Exif()
        main, camera, gps = {}, {}, {}
        try:
            exif.load(info.get("exif", b""))
            main = dict(exif)
            camera, gps = exif.get_ifd(_IFD.Exif), exif.get_ifd(_IFD.GPSInfo)
        except _BROKEN:
            main = dict(main)  # as far as it was read
        described = _json(_text(main.get(_EXIF.ImageDescription)))
        return cls(main, camera, gps, _panorama(info.get("xmp")), described)

    def metadata(self, width: int, height: int) -> Metadata:
        """What they say of a picture of this size in pixels."""
        lat, lon = self._position()
        exif = _direction(self.gps.get(_GPS.GPSImgDirection))
        pose = _direction(self.panorama.get("PoseHeadingDegrees"))
        compass = self.mapillary.get("MAPCompassHeading")
        app = _direction(compass.get("TrueHeading")) if isinstance(compass, dict) else None
        known = [each for each in (pose, exif, app) if each is not None]
        track = _direction(self.gps.get(_GPS.GPSTrack))
        others = ([] if track is None else [track]) + known[1:]
        terms = find_terms("licence", note := _text(self.main.get(_EXIF.Copyright)))
        creator = _text(self.main.get(_EXIF.Artist)) or (None if terms else note)
        return Metadata(
            projection=self._projection(width, height),
            lat=lat,
            lon=lon,
            compass_deg=known[0] if known else None,
            is_magnetic=pose is None
            and exif is not None
            and _text(self.gps.get(_GPS.GPSImgDirectionRef)) == "M",
            pitch_deg=_within(_number(self.panorama.get("PosePitchDegrees")), 90),
            roll_deg=_within(_number(self.panorama.get("PoseRollDegrees")), 180),
            second_compass_deg=others[0] if others else None,
            captured_at=self._time(),
            creator=(creator and creator.lstrip(_CALCULATED)) or None,
            licence=terms.name if terms else None,
        )

    def _projection(self, width: int, height: int) -> str | None:
        said = self.panorama.get("ProjectionType", "").lower()
        if said in ("equirectangular", "spherical"):
            full = _number(self.panorama.get("FullPanoWidthPixels"))
            shown = _number(self.panorama.get("CroppedAreaImageWidthPixels"))
            is_whole = full is None or shown is None or full == shown
            is_wide = abs(width / height / 2 - 1) <= _ASPECT_TOLERANCE
            return EQUIRECTANGULAR if is_whole and is_wide else None
        lens = (_EXIF.FocalLength, _EXIF.FocalLengthIn35mmFilm)
        has_lens = any(tag in notes for notes in (self.exif, self.main) for tag in lens)
        return EQUIRECTANGULAR if width == 2 * height and not has_lens else PERSPECTIVE

    def _position(self) -> tuple[float, float] | tuple[None, None]:
        """Latitude and longitude; at 0, 0 are devices that do not know where they are."""
        by_exif = (
            _angle(self.gps, _GPS.GPSLatitude, _GPS.GPSLatitudeRef, 90),
            _angle(self.gps, _GPS.GPSLongitude, _GPS.GPSLongitudeRef, 180),
        )
        by_app = (
            _within(_number(self.mapillary.get("MAPLatitude")), 90),
            _within(_number(self.mapillary.get("MAPLongitude")), 180),
        )
        for lat, lon in (by_exif, by_app):
            if lat is not None and lon is not None and (lat or lon):
                return lat, lon
        return None, None

    def _time(self) -> dt.datetime | None:
        written = _text(self.exif.get(_EXIF.DateTimeOriginal))
        offset = _text(self.exif.get(_EXIF.OffsetTimeOriginal))
        day, clock = _text(self.gps.get(_GPS.GPSDateStamp)), self.gps.get(_GPS.GPSTimeStamp)
        app = _MAP_TIME.fullmatch(_text(self.mapillary.get("MAPCaptureTime")) or "")
        ways = (
            f"{written} {offset}" if written and offset else "",
            f"{day} {_clock(clock)}" if day else "",
            "{}-{}-{} {}:{}:{}".format(*app.groups()) if app else "",
            written or "",
        )
        return next((found for each in ways if (found := moment(each))), None)


# -- values ----------------------------------------------------------------------------------------


def _panorama(xmp: Any) -> dict[str, str]:
    """The properties of the namespace of panoramas, by name."""
    if not isinstance(xmp, bytes) or len(xmp) > _MOST_XMP_BYTES:
        return {}
    text = xmp.decode("utf-8", errors="replace").strip("\x00 \r\n\t")
    if "<!" in text:  # XMP defines no entities
        return {}
    try:
        root = ElementTree.fromstring(text)  # noqa: S314 - of bounded size, and without entities
    except ElementTree.ParseError:
        return {}
    found: dict[str, str] = {}
    for element in root.iter():
        written = {element.tag: element.text or "", **element.attrib}
        for name, value in written.items():
            if name.startswith(_PANORAMAS):
                found.setdefault(name.removeprefix(_PANORAMAS), value.strip())
    return found


def _json(text: str | None) -> dict[str, Any]:
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _text(value: Any) -> str | None:
    if isinstance(value, bytes):
        value = value.decode("utf-8", errors="replace")
    return value.strip("\x00 ") or None if isinstance(value, str) else None


def _number(value: Any) -> float | None:
    """A finite number, also of a fraction of EXIF, whose denominator may be 0."""
    try:
        number = float(value)
    except (TypeError, ValueError, ArithmeticError):
        return None
    return number if math.isfinite(number) else None


def _within(value: float | None, most: float) -> float | None:
    return value if value is not None and abs(value) <= most else None


def _direction(value: Any) -> float | None:
    known = _within(_number(value), 360)
    return None if known is None else known % 360.0


def _angle(gps: Mapping[int, Any], tag: int, ref: int, most: float) -> float | None:
    """Degrees, minutes and seconds as one number, negative in the south and west."""
    parts = gps.get(tag)
    numbers = [_number(part) for part in parts] if isinstance(parts, tuple) else [_number(parts)]
    if not 1 <= len(numbers) <= 3 or None in numbers:
        return None
    degrees = sum(n / 60**place for place, n in enumerate(numbers) if n is not None)
    is_negative = _text(gps.get(ref)) in ("S", "W")
    return _within(-degrees if is_negative else degrees, most)


def _clock(value: Any) -> str:
    """`10:11:12` of three numbers; midnight where they are none."""
    numbers = [_number(part) for part in value] if isinstance(value, tuple) else []
    if len(numbers) != 3 or None in numbers:
        return "00:00:00"
    hours, minutes, seconds = (int(n) for n in numbers if n is not None)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}"
