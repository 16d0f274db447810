"""The data scientist's page: the model in use and the figures of all offices; no case, no name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request, Response

from serving.language import Speaker
from serving.store.overview import offices_of
from serving.web.overview import office_told
from serving.web.render import house_of, page, visit_of

if TYPE_CHECKING:
    from serving.about import ModelAnswer
    from serving.champion import Champion


def add_pages(app: FastAPI) -> None:
    opened: list[Champion] = []

    def champion() -> Champion:
        """The model in use, looked for when somebody first asks: the other pages need none, and MLflow takes seconds."""
        from serving.champion import Champion
        from serving.sources import source_of

        if not opened:
            opened.append(Champion(source_of(app.state.house.settings.model)))
        opened[0].refresh()
        return opened[0]

    @app.get("/model")
    def show_model(request: Request) -> Response:
        """What the model answers, what it learned from, and the newest week of every office in numbers."""
        from serving.about import about_model

        house, speaker = house_of(request), visit_of(request).speaker
        model = champion().current
        told = None if model is None else about_model(model, house.settings)
        offices = [office_told(house.store, office, speaker) for office in offices_of(house.store)]
        facts = _facts(told, speaker) if told else []
        used = _features(told, speaker) if told else []
        is_made_up = any(o.get("is_made_up") for o in offices)
        return page(request, "model.html.j2", facts=facts, features=used, offices=offices, is_made_up=is_made_up)


def _facts(model: ModelAnswer, speaker: Speaker) -> list[tuple[str, str]]:
    """The model's facts as (name, value)."""
    say = speaker.say
    unknown = say("web.not_known")
    values: dict[str, Any] = {
        "version": model.version,
        "learner": model.learner or unknown,
        "question": say("web_model.question_text", horizon=model.horizon_weeks),
        "horizons": ", ".join(str(w) for w in model.horizons_weeks),
        "clock": say(f"web_model.clock_{model.clock}"),
        "trained_as_of": speaker.day(model.trained_as_of) or unknown,
        "window": " – ".join(speaker.day(d) for d in model.training_window) or unknown,
        "n_cases": unknown if model.n_cases is None else speaker.number(model.n_cases),
        "is_synthetic": say("web.yes" if model.is_synthetic else "web.no"),
        "required": ", ".join(model.required) or say("web.none"),
    }
    return [(say(f"web_model.{name}"), text) for name, text in values.items()]


def _features(model: ModelAnswer, speaker: Speaker) -> list[tuple[str, str, str]]:
    """Each feature with the attributes behind it and its legal marks in words."""
    return [
        (f.name, ", ".join(f.sources), ", ".join(speaker.say(f"web_model.mark_{m}") for m in f.legal_marks))
        for f in model.features
    ]
