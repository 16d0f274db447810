"""What ``mlflow.pyfunc.load_model("models:/risk52@champion")`` answers with: the bundle behind MLflow's own door.

MLflow finds this module by the name in the ``MLmodel`` file (``loader_module``), so a registered model carries no code and
no pickle: what runs is the installed package, and what is read is the bundle's text. MLflow itself is not needed here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from models.bundle import Bundle
from risk.errors import CaseDataError

ENTRY_COLUMNS = ("entry_weeks", "age_weeks")


class LoadedBundle:
    """A bundle that answers as MLflow asks."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle

    def predict(self, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """The chance of being open past each horizon, for rows of built features.

        Parameters
        ----------
        model_input : DataFrame
            n rows with the bundle's features, and ``entry_weeks`` (or the feature ``age_weeks``): weeks already open.
        params
            Not used; MLflow hands it over.

        Returns
        -------
        DataFrame (n rows) with ``p_exceed_<w>w`` for each horizon w, nan where a case is already past it; ``p_exceed``, the
        same at the horizon of the outcome definition; ``curve``, the chance of being open after 0, 4, 8, ... weeks up to
        that horizon; and ``model_version``.

        Raises
        ------
        CaseDataError
            When neither column with the weeks already open is there.
        """
        name = next((n for n in ENTRY_COLUMNS if n in model_input.columns), None)
        if name is None:
            raise CaseDataError(
                f"the table has neither of the columns {' and '.join(ENTRY_COLUMNS)} (weeks already open)"
            )
        outcome = self.bundle.meta["outcome"]
        entry = model_input[name].to_numpy(dtype=np.float64)
        X = self._columns(model_input)
        weeks = np.asarray(outcome["horizons_weeks"], dtype=np.float64)
        curve_weeks = np.arange(0.0, outcome["horizon_weeks"] + 1, 4.0)
        p = self.bundle.survival(X, np.concatenate([weeks, curve_weeks]), entry)
        at_horizon = np.where(entry[:, None] >= weeks, np.nan, p[:, : len(weeks)])
        out = pd.DataFrame({f"p_exceed_{int(w)}w": at_horizon[:, j] for j, w in enumerate(weeks)})
        out.insert(0, "p_exceed", out[f"p_exceed_{int(outcome['horizon_weeks'])}w"])
        out["curve"] = p[:, len(weeks) :].tolist()
        out["model_version"] = self.bundle.version
        return out

    def _columns(self, model_input: pd.DataFrame) -> pd.DataFrame:
        """The bundle's columns among those given; text counts as categories. What is missing, the bundle itself says."""
        kinds = {column["name"]: column["kind"] for column in self.bundle.columns}
        here = model_input[[name for name in model_input.columns if name in kinds]]
        text = [
            n for n in here.columns if kinds[n] == "category" and not isinstance(here[n].dtype, pd.CategoricalDtype)
        ]
        return here.astype(dict.fromkeys(text, "category")) if text else here


def _load_pyfunc(path: str) -> LoadedBundle:
    """MLflow's door: open the bundle in the data folder of a model.

    Raises
    ------
    BundleError
        When the bundle is damaged.
    """
    return LoadedBundle(Bundle.open(Path(path)))
