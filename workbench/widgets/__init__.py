"""Widgets: forms, live charts and dashboards for JupyterLab."""
