"""An example of a package that extends the workbench: a technique, form, runtime, metric, task."""
