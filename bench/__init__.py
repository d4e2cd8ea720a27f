"""Measurements, each as a ratio of things that ran side by side in one run. `make bench`; README.md explains."""
