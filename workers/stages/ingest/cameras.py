"""Which camera filmed a file: known by its serial, or by its folder where there is none."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from workers.contract.dive import Camera
from workers.media.gopro import Place, camera_id, safe, side_of


@dataclass(frozen=True)
class Origin:
    """Where a file lies and what its header says of its camera."""

    place: Place
    serial: str | None
    model: str | None


class Cameras:
    """The mission's cameras; ids never change once given."""

    def __init__(self, before: Sequence[Camera]) -> None:
        self._cameras: dict[str, Camera] = {camera.id: camera for camera in before}
        self.warnings: list[str] = []

    def all(self) -> tuple[Camera, ...]:
        """In the order they were met."""
        return tuple(self._cameras.values())

    def assign(self, origins: Sequence[Origin]) -> list[str]:
        """A camera id for each file.

        A file without a serial belongs to the one camera that other files of its folder name, unless its model
        is another; where a folder holds files of several serials, each is a camera of its own.
        """
        known: dict[object, set[tuple[str, str | None]]] = defaultdict(set)
        for origin in origins:
            if origin.serial is not None:
                known[origin.place.folder].add((origin.serial, origin.model))
        ids = []
        for origin in origins:
            same = {serial for serial, model in known[origin.place.folder] if _agree(model, origin.model)}
            serial = origin.serial or (next(iter(same)) if len(same) == 1 else None)
            ids.append(self._camera(origin.place, serial, origin.model).id)
        return ids

    def _camera(self, place: Place, serial: str | None, model: str | None) -> Camera:
        found = self._by_serial(serial) or self._by_folder(place, serial, model)
        if found is None:
            tail = (serial or "")[-4:]
            name = camera_id(
                place.vehicle, place.camera, frozenset(self._cameras), safe(tail) if tail else ""
            )
            side = side_of(place.camera)
            found = Camera(id=name, vehicle=place.vehicle, side=side, serial=serial, model=model)
        elif found.vehicle != place.vehicle:
            where = f"{place.vehicle}/{place.camera}"
            text = (
                f"Camera {found.id} ({serial}) was also found under {where}; it stays with {found.vehicle}."
            )
            if text not in self.warnings:
                self.warnings.append(text)
        found = found.model_copy(update={"serial": found.serial or serial, "model": found.model or model})
        self._cameras[found.id] = found
        return found

    def _by_serial(self, serial: str | None) -> Camera | None:
        return next((c for c in self._cameras.values() if serial is not None and c.serial == serial), None)

    def _by_folder(self, place: Place, serial: str | None, model: str | None) -> Camera | None:
        """The camera of a folder of that name whose serial and model, where known, do not differ."""
        wanted = camera_id(place.vehicle, place.camera, frozenset()).lower()
        for camera in self._cameras.values():
            of_name = camera.id.lower() == wanted or camera.id.lower().startswith(f"{wanted}-")
            same = _agree(camera.serial, serial) and _agree(camera.model, model)
            if of_name and same and camera.vehicle == place.vehicle:
                return camera
        return None


def _agree(one: str | None, other: str | None) -> bool:
    """Equal, or one of them unknown."""
    return one is None or other is None or one == other
