"""Pictures that may be looked at and not kept: deleted once codes were made of them.

The table stays, with each picture's sha256, and so does the recording. The artefact's digest is
that of what stays, so nothing that was made of it is out of date.
"""

import shutil
from pathlib import Path

from streetineq_assets.findings import Findings
from streetineq_assets.image_settings import Rights
from streetineq_assets.imagery.providers import Provider
from streetineq_assets.imagery.tables import CAPTURES_TAR
from streetineq_assets.images.acquired import ImageryRecord
from streetineq_assets.images.rights import YES, rights_of
from streetineq_assets.store import DataStore

DELETED = "pictures_deleted"


def keeps_pictures(provider: Provider, rights: Rights) -> bool:
    """Whether a provider's pictures may be kept, by its terms or an agreement with it."""
    allowed = rights_of(provider.key, provider.licence, rights)
    if allowed["agreement"]:
        return allowed["store_images"] == YES
    return provider.keeps_pictures


def delete_pictures(store: DataStore, key: str) -> bool:
    """Delete a bucket's pictures where their terms do not let them be kept.

    Args:
        key: of the bucket whose codes are published.

    Returns:
        Whether there were any to delete.

    Raises:
        StoreError: the disk is full or read-only; the pictures stay.
    """
    published = store.manifest("imagery", key)
    if published is None or CAPTURES_TAR not in published.files:
        return False
    record = published.read_record(ImageryRecord)
    manifest = None if record.keeps_pictures else store.intact("imagery", key)
    if manifest is None:
        return False
    source = store.path_of(manifest)

    def write(folder: Path) -> Findings:
        for name in manifest.files.keys() - {CAPTURES_TAR}:
            shutil.copyfile(source / name, folder / name)
        findings = Findings.from_summary(manifest.summary, manifest.unavailable)
        findings.values[DELETED] = True
        findings.holdings, findings.digest = manifest.holdings, manifest.digest
        findings.record = record
        return findings

    store.publish("imagery", key, manifest.recipe, write)
    return True
