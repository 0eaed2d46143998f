"""A module that fails while it is imported."""

raise LookupError("of the user's own module")
