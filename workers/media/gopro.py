"""What names on a card say: chapter, file number, vehicle, camera, side; and what is footage at all.

GoPro names (HERO6 and later): ``GX`` (HEVC), ``GH`` (AVC) or ``GS`` (360), 2 digits of chapter from 01,
4 digits of file number; ``GL`` is a proxy. Loops have two letters for the chapter. HERO5 and before:
``GOPRnnnn`` is the first chapter, ``GP01nnnn`` the second. Source: GoPro, "Camera File Naming Convention".
"""

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from workers.contract.words import Side

VIDEO_SUFFIXES = frozenset({".mp4", ".mov", ".m4v", ".avi", ".mkv", ".mts", ".m2ts", ".mpg", ".mpeg"})
STILL_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff"})
SPHERE_SUFFIXES = frozenset({".360", ".insv"})
"""Two fisheye pictures in one file: not usable as it is, and worth a word."""

UNNAMED_CAMERA = "CAM"
UNNAMED_VEHICLE = "VEHICLE"
ID_LENGTH = 40

_CHAPTERED = re.compile(r"G([XHSP])(\d{2}|[A-Z]{2})(\d{4})", re.IGNORECASE)
_FIRST_OF_OLD = re.compile(r"GOPR(\d{4})", re.IGNORECASE)
_PROXY = re.compile(r"GL(\d{2}|[A-Z]{2})\d{4}", re.IGNORECASE)
_DCIM_FOLDER = re.compile(r"\d{3}[A-Z0-9_]{5}", re.IGNORECASE)
_VEHICLE = re.compile(r"(auv|rov|uuv|usv|asv|hov|glider|vehicle|sled|drone|diver)[\W_]*\w*", re.IGNORECASE)
_CAMERA = re.compile(r"(cam|camera|gopro|gp|hero|video|photos?|images?|jpe?g|raw)[\W_]*\d*", re.IGNORECASE)
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|\d+")

_PORT = frozenset({"port", "left", "l", "babord", "prt"})
_STARBOARD = frozenset({"starboard", "stbd", "right", "r", "sb", "tribord", "strbd"})
_SKIPPED_FOLDERS = frozenset(
    {
        "proxies",
        "proxy",
        "misc",
        "__macosx",
        "system volume information",
        "$recycle.bin",
        "lost+found",
        "lost.dir",
        "@eadir",
    }
)


@dataclass(frozen=True)
class GoProName:
    """``chapter`` counts from 1 in new names and from 0 (GOPR) in old ones; ``number`` has 4 digits."""

    chapter: int
    number: str
    first_chapter: int


def parse_name(name: str) -> GoProName | None:
    """What a GoPro file name says; None when it is not one."""
    stem = Path(name).stem
    if match := _FIRST_OF_OLD.fullmatch(stem):
        return GoProName(0, match[1], 0)
    if match := _CHAPTERED.fullmatch(stem):
        code = match[2].upper()
        if not code.isdigit():  # a loop: its oldest chapters are gone on purpose
            chapter = (ord(code[0]) - ord("A")) * 26 + ord(code[1]) - ord("A") + 1
            return GoProName(chapter, match[3], chapter)
        return GoProName(int(code), match[3], 0 if match[1].upper() == "P" else 1)
    return None


def is_skipped_folder(name: str) -> bool:
    """Folders that never hold footage: proxies, the camera's own, the operating systems'."""
    return name.startswith(".") or name.lower() in _SKIPPED_FOLDERS


def is_proxy(name: str) -> bool:
    """Is it a camera's small copy (.LRV, GL...) or thumbnail (.THM) of footage?"""
    path = Path(name)
    return path.suffix.lower() in (".lrv", ".thm") or _PROXY.fullmatch(path.stem) is not None


def is_video(name: str) -> bool:
    """Is it footage by its name? Proxies, hidden files and AppleDouble are not."""
    return not name.startswith(".") and not is_proxy(name) and Path(name).suffix.lower() in VIDEO_SUFFIXES


def is_still(name: str) -> bool:
    """Is it a picture by its name?"""
    return not name.startswith(".") and Path(name).suffix.lower() in STILL_SUFFIXES


def side_of(*names: str) -> Side:
    """The side that the words of a name speak of; the first name that speaks of exactly one decides."""
    for name in names:
        words = {word.lower() for word in _WORDS.findall(name)}
        port, starboard = bool(words & _PORT), bool(words & _STARBOARD)
        if port != starboard:
            return Side.PORT if port else Side.STARBOARD
    return Side.UNKNOWN


@dataclass(frozen=True)
class Place:
    """Where a file lies in ``<dive>/<vehicle>/<camera>/[DCIM/nnnGOPRO/]``; ``folder`` is the camera's."""

    vehicle: str
    camera: str
    folder: Path
    dive: str | None = None


def place_of(file: Path, root: Path) -> Place:
    """Vehicle and camera of a file below the folder that the operator named.

    Args:
        file: absolute path of a footage file.
        root: what was named: a card, a dive's, vehicle's or camera's folder, or the file itself.
    """
    top = root if file != root else file.parent
    folder = camera_folder(file.parent, top)
    inside = folder.relative_to(top).parts if folder.is_relative_to(top) else ()
    if len(inside) >= 2:
        dive = inside[-3] if len(inside) >= 3 else top.name
        return Place(inside[-2], inside[-1], folder, dive)
    own, above = folder.name, folder.parent.name
    if len(inside) == 1 and not (_VEHICLE.fullmatch(own) and not _VEHICLE.fullmatch(above)):
        return Place(above or UNNAMED_VEHICLE, own, folder, _name_of_dive(folder.parent.parent))
    return _lone(own, above, folder)


def camera_folder(folder: Path, top: Path) -> Path:
    """The folder above ``DCIM/nnnGOPRO``; it may lie above ``top`` when that is inside DCIM."""
    if _DCIM_FOLDER.fullmatch(folder.name) and folder.parent.name.upper() == "DCIM":
        return folder.parent.parent
    if folder.name.upper() == "DCIM":
        return folder.parent
    if _DCIM_FOLDER.fullmatch(folder.name) and folder != top and folder.name.upper().endswith("GOPRO"):
        return folder.parent
    return folder


def _lone(own: str, above: str, folder: Path) -> Place:
    """Footage right in the folder that was named, or in a vehicle's folder without one for the camera."""
    if _VEHICLE.fullmatch(own) and side_of(own) == Side.UNKNOWN:
        return Place(own, UNNAMED_CAMERA, folder, _name_of_dive(folder.parent))
    side_only = side_of(own) != Side.UNKNOWN and len(_WORDS.findall(own)) <= 2
    if (side_only or _CAMERA.fullmatch(own)) and above:
        if folder.is_mount():  # a card named PORT: what it is mounted in is no vehicle
            return Place(UNNAMED_VEHICLE, own, folder)
        return Place(above, own, folder, _name_of_dive(folder.parent.parent))
    if side_of(own) != Side.UNKNOWN:
        parts = [part for part in re.split(r"[\s_\-.]+", own) if part]
        of_side = [part for part in parts if side_of(part) != Side.UNKNOWN]
        rest = [part for part in parts if side_of(part) == Side.UNKNOWN]
        if of_side and rest:
            return Place("-".join(rest), of_side[0], folder)
    return Place(own or UNNAMED_VEHICLE, UNNAMED_CAMERA, folder)


def _name_of_dive(folder: Path) -> str | None:
    """A folder's name, unless it is the root of a disk."""
    return folder.name or None


def safe(text: str, length: int = ID_LENGTH) -> str:
    """A form of a name that is safe in file names on all systems, and equal only for equal names.

    Letters, digits, ``-`` and ``.`` inside stay; accents go; other runs become ``_``. When that lost
    something that tells names apart, 6 digits of the name's hash follow.
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    kept = re.sub(r"[^A-Za-z0-9.\-]+", "_", plain).strip("._-")
    if len(kept) <= length and kept and re.sub(r"[\s_]+", "_", text) == kept:
        return kept
    digest = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:6]
    return f"{kept[: length - 7].rstrip('._-')}-{digest}" if kept else digest


def camera_id(vehicle: str, camera: str, taken: frozenset[str], tail: str = "") -> str:
    """An id for a new camera that no other has, not even in another case (exFAT and NTFS fold it).

    Args:
        vehicle: its vehicle's name.
        camera: its folder's name.
        taken: ids in use.
        tail: what tells it apart when the name is taken, such as the end of its serial.
    """
    wanted = f"{safe(vehicle)}-{safe(camera)}"
    folded = {name.lower() for name in taken}
    if wanted.lower() not in folded:
        return wanted
    if tail and f"{wanted}-{tail}".lower() not in folded:
        return f"{wanted}-{tail}"
    number = 2
    while f"{wanted}-{number}".lower() in folded:
        number += 1
    return f"{wanted}-{number}"
