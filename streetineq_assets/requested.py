"""What the sensor asked for and has not got: its memory from tick to tick.

Work is asked for once. It is asked for again where what stands before it changed since, or where
nothing came of it in a day: the disk was full then, or somebody has mended the input since.
"""

import datetime as dt
import json
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field

from pydantic import BaseModel, TypeAdapter

from streetineq_assets.outdated import Work

AGAIN_AFTER = dt.timedelta(days=1)


class Asked(BaseModel):
    """A request.

    Attributes:
        state: `Work.state` when it was made.
    """

    state: str
    at: dt.datetime


_CURSOR = TypeAdapter(dict[str, Asked])


@dataclass
class Requested:
    """Requests by the name of their work, such as `train_and_predict london/crime`."""

    before: Mapping[str, Asked]
    now: dt.datetime
    kept: dict[str, Asked] = field(default_factory=dict)

    @classmethod
    def read(cls, cursor: str | None, now: dt.datetime) -> "Requested":
        """What the sensor's cursor remembers; nothing where it is of an earlier version."""
        try:
            return cls(_CURSOR.validate_json(cursor or "{}"), now)
        except ValueError:  # the cursor of the sensor that this one replaced
            return cls({}, now)

    def due(self, work: Iterable[Work], under_way: Container[str]) -> list[Work]:
        """Those that are to be asked for; requests that still hold are remembered.

        Args:
            under_way: names of work whose runs have not ended.
        """
        found = []
        for each in work:
            name = name_of(each)
            asked = self.before.get(name)
            is_fresh = asked and asked.state == each.state and self.now - asked.at < AGAIN_AFTER
            if asked and (is_fresh or name in under_way):
                self.kept[name] = asked
            elif name not in under_way:
                found.append(each)
        return found

    def is_news(self, name: str, told: str) -> bool:
        """Whether something is said for the first time in a day; it is remembered."""
        before = self.before.get(name)
        known = before and before.state == told and self.now - before.at < AGAIN_AFTER
        self.kept[name] = before if before and known else Asked(state=told, at=self.now)
        return not known

    def ask(self, work: Work) -> str:
        """Remember a request; its key, by which Dagster makes a run of it once for ever."""
        self.kept[name_of(work)] = Asked(state=work.state, at=self.now)
        return f"{name_of(work)}@{work.state}@{self.now.isoformat()}"

    def cursor(self) -> str:
        """What is asked for and still to be done."""
        return json.dumps(_CURSOR.dump_python(self.kept, mode="json"), sort_keys=True)


def name_of(work: Work) -> str:
    """`train_and_predict london/crime`, or the job alone."""
    return f"{work.stage.job} {work.key}" if work.key else work.stage.job
