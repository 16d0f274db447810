"""A data scientist's work: plans, backtests, comparison, gates and reports. Needs history and minutes, not seconds."""
