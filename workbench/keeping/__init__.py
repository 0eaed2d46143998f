"""A candidate on disk, loadable without this package."""
