"""The forms of models that the package knows, a file each, found through `workbench.model_form`."""
