"""Tests of the forms, and of the runtimes that run them."""
