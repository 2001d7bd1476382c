"""A provider that is asked without any network: what it is asked, and what it makes of answers."""

from collections import Counter

from streetineq_assets.image_settings import Imagery
from streetineq_assets.imagery.boxes import around
from streetineq_tests.imagery.connected import BOX, MIDDLE
from streetineq_tests.imagery.world import Capture, invented

WORLD = invented(12, seed=3, spread_deg=0.0012)
AROUND = around(*MIDDLE, 120)
ONE = Capture("42", 51.5, -0.12, 30.0, 1_465_000_000_000)


class Said:
    """A client that answers every request with the same, or as a function says."""

    def __init__(self, answer):
        self.answer, self.asked, self.faults = answer, [], Counter()

    def json(self, url, params, *, most_timeouts=None):
        self.asked.append((url, dict(params)))
        return self.answer(params) if callable(self.answer) else self.answer

    def links(self, capture_ids, ask):
        return ask(capture_ids)

    fresh_json = json


def found(kind, answer, **imagery):
    settings = Imagery(provider=kind.key, **imagery)
    return kind(settings, Said(answer), "https://api.example").search(BOX)


def asked(kind, **imagery):
    client = Said({})
    kind(Imagery(provider=kind.key, **imagery), client, "https://api.example").search(BOX)
    return client.asked[0]
