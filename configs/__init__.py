"""Whole dashboards to copy or extend."""
