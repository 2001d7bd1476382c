"""Pictures as addresses of themselves, so that a page needs no other file."""

import base64
from typing import TYPE_CHECKING

from streetineq_assets.plotting import png_bytes

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def data_uri(kind: str, content: bytes) -> str:
    """A file of a media type, such as `image/png`."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def chart_uri(figure: "Figure") -> str:
    """A chart, as a picture of few colours: letters drawn as vectors take five times the room."""
    return data_uri("image/png", png_bytes(figure, few_colours=True))
