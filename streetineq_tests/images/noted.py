"""Pictures into which a camera wrote what it knew, for tests."""

import io

from PIL import ExifTags, Image

GPS, BASE, IFD = ExifTags.GPS, ExifTags.Base, ExifTags.IFD


def sexagesimal(degrees):
    degrees = abs(degrees)
    minutes = degrees % 1 * 60
    return (int(degrees), int(minutes), round(minutes % 1 * 60, 6))


def position(lat, lon):
    """Tags of EXIF's part on satellites."""
    return {
        GPS.GPSLatitude: sexagesimal(lat),
        GPS.GPSLatitudeRef: "N" if lat >= 0 else "S",
        GPS.GPSLongitude: sexagesimal(lon),
        GPS.GPSLongitudeRef: "E" if lon >= 0 else "W",
    }


def xmp(*attributes, elements=()):
    """A packet with the properties of panoramas."""
    inside = "".join(f"<GPano:{name}>{value}</GPano:{name}>" for name, value in elements)
    written = " ".join(f'GPano:{name}="{value}"' for name, value in attributes)
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
        f'xmlns:GPano="http://ns.google.com/photos/1.0/panorama/" {written}>{inside}'
        '</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>' + " " * 200
    ).encode()


def noted(*, size=(40, 30), kind="JPEG", gps=None, camera=None, main=None, packet=None):
    """An encoded picture with these tags of EXIF, and a packet of XMP."""
    exif = Image.Exif()
    for tag, value in (main or {}).items():
        exif[tag] = value
    for part, tags in ((IFD.GPSInfo, gps), (IFD.Exif, camera)):
        if tags:
            exif.get_ifd(part).update(tags)
    more = {} if packet is None else {"xmp": packet}
    file = io.BytesIO()
    Image.new("RGB", size, (90, 120, 80)).save(file, kind, exif=exif.tobytes(), **more)
    return file.getvalue()
