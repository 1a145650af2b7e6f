"""All products of a verdict, written into one folder."""

from pathlib import Path

from workers.contract.products import VERDICT, Verdict
from workers.stages.verdict.cloud import write_cloud_ply, write_cloud_view, write_map
from workers.stages.verdict.map_drawing import scene_of
from workers.stages.verdict.map_picture import write_coverage_png
from workers.stages.verdict.raster import write_coverage_tif
from workers.stages.verdict.redive import redives
from workers.stages.verdict.redive_files import write_redive
from workers.stages.verdict.report import write_report
from workers.stages.verdict.survey import Survey, load_cloud
from workers.stages.verdict.tables import write_frames_csv, write_gaps_geojson, write_tracks_geojson


def write_products(out: Path, survey: Survey, verdict: Verdict) -> None:
    """Write every product that this survey can have; the verdict last.

    Without a scale there is no ``coverage.tif``, ``.png`` and ``.pgw``; ``redive.*`` exist only when a gap needs a dive
    and there is a place on the earth. The report says so.
    """
    frame, scene = survey.stitch.frame, scene_of(survey, verdict)
    if survey.grid is not None and scene is not None:
        write_coverage_tif(out / "coverage.tif", survey.grid, frame, verdict)
        write_coverage_png(out, scene, frame, verdict)
    write_frames_csv(out / "frames.csv", survey)
    write_gaps_geojson(out / "gaps.geojson", survey, verdict)
    write_tracks_geojson(out / "tracks.geojson", survey, verdict)
    plans = redives(survey, verdict)
    write_redive(out, survey, verdict, plans)
    cloud = load_cloud(survey)
    write_cloud_ply(out / "cloud.ply", cloud, frame, verdict)
    write_cloud_view(out / "cloud_view.npz", cloud, survey, verdict)
    write_map(out / "map.npz", scene, survey, verdict)
    write_report(out / "report.html", survey, verdict, scene, plans)
    (out / VERDICT).write_text(verdict.to_json() + "\n", encoding="utf-8")
