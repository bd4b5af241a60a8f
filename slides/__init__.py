"""Slides of the chapters, made from their pages, notebooks and figures. ``python -m slides --help``."""
