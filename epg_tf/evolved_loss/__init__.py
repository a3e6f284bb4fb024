"""Evolved losses as files: loading, exporting and describing them."""
