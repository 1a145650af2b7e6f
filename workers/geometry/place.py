"""Places on the earth: lon/lat to the map frame (the site's UTM zone minus a whole-metre origin) and back."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from pyproj import CRS, Proj, Transformer

from workers.contract.survey import MapFrame
from workers.geometry import F64


def utm_epsg(lon_deg: float, lat_deg: float) -> int:
    """EPSG code of the UTM zone (WGS 84) of a place; beyond 84 N or 80 S that of the nearest zone."""
    zone = int((lon_deg + 180.0) // 6.0) % 60 + 1
    return (32600 if lat_deg >= 0.0 else 32700) + zone


@dataclass(frozen=True)
class Place:
    """Converts between WGS 84 lon/lat and a map frame that has an EPSG code."""

    frame: MapFrame

    @property
    def epsg(self) -> int:
        """The EPSG code.

        Raises:
            ValueError: a local frame has none.
        """
        if self.frame.epsg is None:
            raise ValueError("a local frame has no place on the earth")
        return self.frame.epsg

    @staticmethod
    def at(lon_deg: float, lat_deg: float) -> Place:
        """The place of a site: its UTM zone, origin rounded to 100 m."""
        epsg = utm_epsg(lon_deg, lat_deg)
        east, north = Transformer.from_crs(4326, epsg, always_xy=True).transform(lon_deg, lat_deg)
        return Place(
            MapFrame(epsg=epsg, origin=(math.floor(east / 100) * 100.0, math.floor(north / 100) * 100.0))
        )

    def to_map(self, lon_deg: F64, lat_deg: F64) -> F64:
        """Map coordinates (N,2) of lon/lat (N,) degrees."""
        there = Transformer.from_crs(4326, self.epsg, always_xy=True)
        east, north = there.transform(np.asarray(lon_deg), np.asarray(lat_deg))
        xy: F64 = np.stack([np.asarray(east), np.asarray(north)], axis=-1) - np.asarray(self.frame.origin)
        return xy

    def to_lonlat(self, xy: F64) -> F64:
        """Lon/lat (N,2) in degrees of map coordinates (N,2)."""
        back = Transformer.from_crs(self.epsg, 4326, always_xy=True)
        east, north = (np.asarray(xy) + np.asarray(self.frame.origin)).T
        lon, lat = back.transform(east, north)
        return np.stack([np.asarray(lon), np.asarray(lat)], axis=-1)

    def convergence_rad(self, lon_deg: float, lat_deg: float) -> float:
        """Meridian convergence: the angle from grid north to true north, clockwise positive, radians."""
        factors = Proj(CRS.from_epsg(self.epsg)).get_factors(lon_deg, lat_deg)
        return math.radians(float(factors.meridian_convergence))
