"""How four providers speak: requests to the loopback server, and its answers, as JSON.

Facts are those of the modules below `streetineq_assets/imagery/providers`. Each dialect knows where
its searches, its questions for links and its pictures lie.
"""

import datetime as dt
import uuid
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from streetineq_tests.imagery import faults
from streetineq_tests.imagery.world import PERSPECTIVE_FOV, Capture, World

Query = dict[str, str]
_M_PER_DEG = 111_195.0


class Reply(NamedTuple):
    """Status and JSON of an answer; `too_many`: there was more than was listed."""

    status: int
    body: Any
    too_many: bool = False


class Mapillary:
    """`graph.mapillary.com`: boxes without pages, results edge first, batches of 50 ids."""

    needs_header = True
    timeout_is = faults.QUERY_TIMEOUT

    def purpose(self, path: str, query: Query) -> str | None:
        if path != "/images":
            return None
        return faults.LINKS if "image_ids" in query else faults.SEARCH

    def refusal(self) -> Reply:
        error = {"message": "Invalid OAuth access token.", "type": "OAuthException", "code": 190}
        return Reply(401, {"error": error})

    def query_timeout(self) -> Reply:
        error = {
            "message": "Query Timeout",
            "type": "OAuthException",
            "is_transient": False,
            "code": -2,
            "error_subcode": 3404014,
        }
        return Reply(400, {"error": error})

    def search(self, world: World, query: Query, server: Any) -> Reply:
        west, south, east, north = map(float, query["bbox"].split(","))
        if max(east - west, north - south) >= 0.01:
            return Reply(400, {"error": {"message": "bbox is too large", "code": 100}})
        hits = [c for c in world.captures if _in_box(_raw(c), (west, south, east, north))]
        hits = [c for c in hits if query.get("is_pano") != "true" or c.panorama]
        hits = [c for c in hits if _in_time(c, query.get("start_captured_at"), True)]
        hits = [c for c in hits if _in_time(c, query.get("end_captured_at"), False)]
        hits.sort(key=lambda c: _to_edge(_raw(c), (west, south, east, north)))
        limit = min(int(query.get("limit", 2000)), server.limit)
        strays = [c for c in world.captures if c not in hits][: server.strays]
        listed = [_mapillary(c) for c in hits[:limit] + strays]
        # Real bodies carry the token in the links to their pages; nobody is to follow or keep them.
        body = {"data": listed, "paging": {"next": server.paging_link("/images")}}
        return Reply(200, body, len(hits) > limit)

    def links(self, world: World, query: Query, server: Any) -> Reply:
        ids = query["image_ids"].split(",")
        if len(ids) > 50:
            return Reply(400, {"error": {"message": "too many ids", "code": 100}})
        known = [world.by_id[i] for i in ids if i in world.by_id]
        data = [
            {"id": c.capture_id, "thumb_2048_url": server.link(c.capture_id)}
            for c in known
            if c.shows != "gone"
        ]
        return Reply(200, {"data": data, "paging": {"next": server.paging_link("/images")}})


class Panoramax:
    """`api.panoramax.xyz`: STAC items, nearest to the box's middle first, with or without pages."""

    needs_header = False
    timeout_is = faults.SERVER_ERROR

    def purpose(self, path: str, query: Query) -> str | None:
        if path != "/api/search":
            return None
        return faults.LINKS if "ids" in query else faults.SEARCH

    def query_timeout(self) -> Reply:
        return Reply(504, {"message": "canceling statement due to statement timeout"})

    def search(self, world: World, query: Query, server: Any) -> Reply:
        west, south, east, north = map(float, query["bbox"].split(","))
        since, until = [*query.get("datetime", "../..").split("/"), ".."][:2]
        hits = [c for c in world.captures if _in_box((c.lat, c.lon), (west, south, east, north))]
        hits = [c for c in hits if since == ".." or _in_time(c, since, True)]
        hits = [c for c in hits if until == ".." or _in_time(c, until, False)]
        middle = (south + north) / 2, (west + east) / 2
        hits.sort(key=lambda c: _metres((c.lat, c.lon), middle))
        first, limit = int(query.get("page", 0)), min(int(query.get("limit", 10)), server.limit)
        if server.page_size:
            limit = min(limit, server.page_size)
        body = {
            "type": "FeatureCollection",
            "features": [self._item(c, server) for c in hits[first : first + limit]],
            "links": [{"rel": "root", "href": server.url}],
        }
        more = first + limit < len(hits)
        if more and server.page_size:
            pairs = {**query, "page": str(first + limit)}
            link = server.address("/api/search", pairs)
            body["links"].append({"rel": "next", "href": link})
        return Reply(200, body, more and not server.page_size)

    def links(self, world: World, query: Query, server: Any) -> Reply:
        ids = [part.strip("[]\"' ") for part in query["ids"].split(",")]
        captures = [world.by_id.get(str(uuid.UUID(i).int)) for i in ids]
        kept = [c for c in captures if c is not None and c.shows != "gone"]
        items = [self._item(c, server) for c in kept]
        return Reply(200, {"type": "FeatureCollection", "features": items, "links": []})

    def _item(self, capture: Capture, server: Any) -> dict[str, Any]:
        dimensions = [capture.width_px, capture.height_px]
        fov = 360 if capture.panorama else PERSPECTIVE_FOV
        picture = server.link(capture.capture_id)
        properties = {
            "datetime": _iso(capture),
            "license": capture.licence,
            "view:azimuth": capture.compass_deg,
            "pers:interior_orientation": {
                "field_of_view": fov,
                "sensor_array_dimensions": dimensions,
            },
            "pers:pitch": 0.0,
            "pers:roll": 0.0,
            "geovisio:producer": capture.creator,
        }
        return {
            "type": "Feature",
            "id": str(uuid.UUID(int=int(capture.capture_id))),
            "geometry": {"type": "Point", "coordinates": [capture.lon, capture.lat]},
            "properties": properties,
            "assets": {"hd": {"href": picture}, "sd": {"href": picture}},
        }


class KartaView:
    """`api.openstreetcam.org`: circles, pages of 150 at most, a time-out for too much."""

    needs_header = False
    timeout_is = faults.QUERY_TIMEOUT

    def purpose(self, path: str, query: Query) -> str | None:
        if not path.startswith("/2.0/photo/"):
            return None
        return faults.SEARCH if path == "/2.0/photo/" else faults.LINKS

    def query_timeout(self) -> Reply:
        status = {"apiCode": 408, "apiMessage": "Query timeout", "httpCode": 408}
        return Reply(408, {"status": status, "result": {}})

    def search(self, world: World, query: Query, server: Any) -> Reply:
        middle, radius = (float(query["lat"]), float(query["lng"])), float(query["radius"])
        hits = [c for c in world.captures if _metres((c.lat, c.lon), middle) <= radius]
        if len(hits) > server.limit:
            return Reply(408, self.query_timeout().body, True)
        size, page = int(query.get("itemsPerPage", 40)), int(query.get("page", 1))
        if size > 150:
            return Reply(400, {"status": {"apiCode": 400, "apiMessage": "itemsPerPage"}})
        rows = [self._photo(c, server) for c in hits[(page - 1) * size : page * size]]
        return self._result(rows, more=page * size < len(hits))

    def links(self, world: World, query: Query, server: Any) -> Reply:
        capture = world.by_id.get(query["id"])
        if capture is None or capture.shows == "gone":
            return Reply(404, {"status": {"apiCode": 404, "apiMessage": "not found"}})
        status = {"apiCode": 600, "apiMessage": "", "httpCode": 200}
        return Reply(200, {"status": status, "result": {"data": self._photo(capture, server)}})

    def _result(self, rows: Sequence[dict[str, Any]], *, more: bool) -> Reply:
        status = {"apiCode": 600 if rows else 601, "apiMessage": "", "httpCode": 200}
        return Reply(200, {"status": status, "result": {"data": rows, "hasMoreData": more}})

    def _photo(self, capture: Capture, server: Any) -> dict[str, Any]:
        shot = dt.datetime.fromtimestamp(capture.captured_at_ms / 1000, dt.UTC)
        return {
            "id": capture.capture_id,
            "lat": str(capture.lat),
            "lng": str(capture.lon),
            "heading": str(capture.compass_deg),
            "shotDate": shot.strftime("%Y-%m-%d %H:%M:%S"),
            "fieldOfView": "360" if capture.panorama else None,
            "width": str(capture.width_px),
            "height": str(capture.height_px),
            "fileurlProc": server.link(capture.capture_id),
            "sequence": {"id": "1"},
        }


class GoogleStreetView:
    """`maps.googleapis.com`: one panorama near a point, pictures by heading, a key in the query."""

    needs_header = False
    timeout_is = faults.SERVER_ERROR
    key_in_query = True

    def purpose(self, path: str, query: Query) -> str | None:
        if path == "/maps/api/streetview/metadata":
            return faults.SEARCH
        return faults.PICTURE if path == "/maps/api/streetview" else None

    def query_timeout(self) -> Reply:
        return Reply(200, {"status": "UNKNOWN_ERROR"})

    def refusal(self) -> Reply:
        return Reply(200, {"status": "REQUEST_DENIED", "error_message": "The key is invalid."})

    def search(self, world: World, query: Query, server: Any) -> Reply:
        lat, lon = map(float, query["location"].split(","))
        radius = float(query.get("radius", 50))
        near = sorted(world.captures, key=lambda c: _metres((c.lat, c.lon), (lat, lon)))
        if not near or _metres((near[0].lat, near[0].lon), (lat, lon)) > radius:
            return Reply(200, {"status": "ZERO_RESULTS"})
        found = near[0]
        return Reply(
            200,
            {
                "status": "OK",
                "pano_id": found.capture_id,
                "location": {"lat": found.lat, "lng": found.lon},
                "date": _iso(found)[:7],
                "copyright": "© Google",
            },
        )


def _mapillary(capture: Capture) -> dict[str, Any]:
    raw_lat, raw_lon = _raw(capture)
    answer = {
        "id": capture.capture_id,
        "captured_at": capture.captured_at_ms,
        "geometry": {"type": "Point", "coordinates": [raw_lon, raw_lat]},
        "compass_angle": _or(capture.raw_compass_deg, capture.compass_deg),
        "camera_type": capture.camera_type or ("spherical" if capture.panorama else "perspective"),
        "is_pano": capture.panorama,
        "creator": {"username": capture.creator, "id": "1"},
        "width": capture.width_px,
        "height": capture.height_px,
    }
    if capture.raw_lat is not None:
        answer["computed_geometry"] = {"type": "Point", "coordinates": [capture.lon, capture.lat]}
        answer["computed_compass_angle"] = capture.compass_deg
        answer["computed_rotation"] = list(rotation_of(capture.compass_deg))
    return answer


def rotation_of(compass_deg: float, pitch_deg: float = 0.0, roll_deg: float = 0.0) -> np.ndarray:
    """The rotation vector (angle times axis) that OpenSfM has for a camera: world to camera.

    The world's axes are east, north and up, the camera's right, down and forward. It is made here
    of the camera's axes; the platform goes the other way.
    """
    from scipy.spatial.transform import Rotation

    azimuth, pitch, roll = np.radians([compass_deg, pitch_deg, roll_deg])
    forward = np.array(
        [np.sin(azimuth) * np.cos(pitch), np.cos(azimuth) * np.cos(pitch), np.sin(pitch)]
    )
    level = np.array([np.cos(azimuth), -np.sin(azimuth), 0.0])  # to the right, horizontally
    below = np.cross(forward, level)
    right = np.cos(roll) * level + np.sin(roll) * below
    axes = np.array([right, np.cross(forward, right), forward])
    return Rotation.from_matrix(axes).as_rotvec()


def _raw(capture: Capture) -> tuple[float, float]:
    return _or(capture.raw_lat, capture.lat), _or(capture.raw_lon, capture.lon)


def _or(value: float | None, other: float) -> float:
    return other if value is None else value


def _iso(capture: Capture) -> str:
    stamp = dt.datetime.fromtimestamp(capture.captured_at_ms / 1000, dt.UTC)
    return stamp.isoformat(timespec="milliseconds")


def _in_box(place: tuple[float, float], box: tuple[float, float, float, float]) -> bool:
    return box[1] <= place[0] <= box[3] and box[0] <= place[1] <= box[2]


def _in_time(capture: Capture, limit: str | None, from_then_on: bool) -> bool:
    if limit is None:
        return True
    moment = dt.datetime.fromisoformat(limit.replace("Z", "+00:00")).timestamp() * 1000
    return capture.captured_at_ms >= moment if from_then_on else capture.captured_at_ms <= moment


def _to_edge(place: tuple[float, float], box: tuple[float, float, float, float]) -> float:
    lat, lon = place
    return min(lon - box[0], lat - box[1], box[2] - lon, box[3] - lat)


def _metres(one: tuple[float, float], other: tuple[float, float]) -> float:
    wide = np.cos(np.radians(one[0]))
    return float(np.hypot(one[0] - other[0], (one[1] - other[1]) * wide) * _M_PER_DEG)
