"""The store: one SQL database that keeps what must not be forgotten. Nothing here knows of HTTP or of models."""
