"""Figures of performance, measured on this machine: each with its baseline, from the same run."""
