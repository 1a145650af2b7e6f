"""What was recorded, as files: video, stills, GPMF, nav logs, areas of interest, rigs, checksums."""
