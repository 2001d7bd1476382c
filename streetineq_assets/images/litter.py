"""What systems and programs leave in folders of images, told by its name.

    trash                 .Trash-1000, $RECYCLE.BIN, Recycled, Trashes
    system_file           .DS_Store, ._*, __MACOSX, Icon, Thumbs.db, desktop.ini, @eaDir, .nfs*
    lock_file             ~$*, .~lock.*
    unfinished_download   *.part, *.crdownload, *.tmp, and rsync's .name.XXXXXX
    sync_conflict         name (conflicted copy ...), name.sync-conflict-...
    hidden                all else that begins with a dot, or lies in a folder that does

Such a file is never an image of the study, whatever else its name says: of a deleted or half
fetched image there may be a good one beside it.
"""

import re
from functools import lru_cache

KINDS = (
    "trash",
    "system_file",
    "lock_file",
    "unfinished_download",
    "sync_conflict",
    "hidden",
)

_UNFINISHED = (
    *(".part", ".partial", ".filepart", ".crdownload", ".opdownload", ".download", ".aria2"),
    *(".tmp", ".temp"),
)
_CONFLICT = re.compile("conflicted copy|case conflict|sync-conflict-")
_FOLDER = re.compile(
    r"""(?P<trash>\.trash(?:es|-.*)?|[\#@$]?recycled?(?:\.bin)?|recycler|trash(?:es)?)
    |(?P<system_file>__macosx|@eadir|system[ ]volume[ ]information|lost\+found
        |\.(?:fseventsd|spotlight-v100|temporaryitems|documentrevisions-v100|appledouble))
    |(?P<unfinished_download>.+\.\w+\.download)
    |(?P<hidden>\.(?!\.?$).*)""",
    re.VERBOSE | re.DOTALL,
)
_FILE = re.compile(
    r"""(?P<system_file>\.ds_store|\._.*|icon\r|(?:eh)?thumbs\.db|desktop\.ini|\.nfs[0-9a-f]{8,}
        |\.(?:directory|apdisk|localized|volumeicon\.icns))
    |(?P<lock_file>~\$.*|\.~lock\..*)
    |(?P<unfinished_download>\..+\.\w+\.[a-z0-9]{6})
    |(?P<hidden>\..*)""",
    re.VERBOSE | re.DOTALL,
)


def litter_kind(path: str) -> str | None:
    """What kind of litter a file is, or the outermost of its folders that is; None for others.

    Args:
        path: below the city's folder, with slashes or Windows' separators.
    """
    folder, _, name = path.replace("\\", "/").lower().rpartition("/")
    if kind := _kind_of_folders(folder):
        return kind
    if name.endswith(_UNFINISHED):
        return "unfinished_download"
    if "conflict" in name and _CONFLICT.search(name):
        return "sync_conflict"
    match = _FILE.fullmatch(name)
    return match.lastgroup if match else None


@lru_cache(maxsize=4096)
def _kind_of_folders(folder: str) -> str | None:
    matches = (_FOLDER.fullmatch(name) for name in folder.split("/"))
    return next((match.lastgroup for match in matches if match), None)
