"""A study of real photographs: a ride through Stuttgart in panoramas, streets in flat files.

The flat photographs are dealt out as views, four in the order in which they were taken. So a
location's four views are of one street, and the next location's are of it too.
"""

import shutil

import pandas as pd

from streetineq_tests import studies
from streetineq_tests.codes.encoded_study import Platform
from streetineq_tests.images.pictures import write_files

STUDY = studies.two_towns("""
[encoder]
family = "keras_file"
weights = "inputs/weights/lite0.keras"
layer = "features"
licence = "Apache-2.0"
batch_size = 8

[rights]
show_images = true
""")
CREDITS = {
    "lund": "own,BSD-2-Clause,OpenSfM",
    "berlin": "own,BSD-2-Clause,OpenSfM",
    "ride": "Mapillary,CC BY-SA 4.0,a contributor of Mapillary",
    "castle": "Mapillary,CC BY-SA 4.0,a contributor of Mapillary",
    "hill": "Mapillary,CC BY-SA 4.0,a contributor of Mapillary",
}
STREETS = {"castle": "xHUWVkul6BrJRGbPnApeaQ", "hill": "bwGfoP2ATys36IDLOknCYJ"}  # sequences


class Streets(Platform):
    """The study on disk; Berlin has three photographs, one too few."""

    def write(self, data, weights):
        studies.new_study(self.root, STUDY)
        target = self.store.inputs("weights", "lite0.keras")
        target.parent.mkdir(parents=True)
        shutil.copyfile(weights, target)
        listed = pd.read_csv(data / "global_streetscapes" / "metadata.csv")
        listed = listed.sort_values(["sequence_id", "sequence_index"])
        flat = {
            "lund": sorted((data / "opensfm" / "lund").glob("*.jpg"))[:28],
            "berlin": sorted((data / "opensfm" / "berlin").glob("*.jpg")),
        }
        for street, sequence in STREETS.items():
            names = listed.loc[listed["sequence_id"] == sequence, "uuid"]
            flat[street] = [data / "global_streetscapes" / f"{name}.jpeg" for name in names]
        ids = [each for street, files in flat.items() for each in self.deal_out(street, files)]
        ride = listed[listed["projection_type"] == "spherical"]
        ids += self.write_ride(ride, data / "global_streetscapes")
        self.list_with_credits(ids)
        self.publish_directory(len(ids))
        return self

    def deal_out(self, street, files):
        """Write photographs as views; the ids of their locations."""
        named = {f"{street}{n // 4}_{'abcd'[n % 4]}.jpg": f for n, f in enumerate(files)}
        write_files(self.images, {name: file.read_bytes() for name, file in named.items()})
        return list(dict.fromkeys(name.split("_")[0] for name in named))

    def write_ride(self, ride, folder):
        lines = ["capture_id,location_id,compass_deg,projection"]
        for number, capture in enumerate(ride.itertuples()):
            data = (folder / f"{capture.uuid}.jpeg").read_bytes()
            write_files(self.images, {f"ride/{capture.uuid}.jpeg": data})
            lines.append(f"{capture.uuid},ride{number},{capture.heading},equirectangular")
        write_files(self.store.inputs("captures"), {"alpha.csv": "\n".join(lines).encode()})
        return [f"ride{number}" for number in range(len(ride))]

    def list_with_credits(self, ids):
        self.list_locations(ids)
        file = self.store.inputs("locations") / "alpha.csv"
        header, *rows = file.read_text().splitlines()
        rows = [f"{row},{CREDITS[row.split(',')[0].rstrip('0123456789')]}" for row in rows]
        file.write_text("\n".join([f"{header},provider,licence,creator", *rows]))
