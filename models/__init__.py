"""Learners: tables in, survival curves out.

Trained models do not live in this folder: they live in MLflow, as bundles (see :mod:`models.bundle` for what a bundle
is, and :mod:`models.registry` for where it is kept). Here is only the code that makes, saves, opens and judges them.
"""
