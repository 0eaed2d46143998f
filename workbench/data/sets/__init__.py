"""The data sets that the package ships."""
