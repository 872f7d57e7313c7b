"""MLflow with an SQLite store: one log_metrics call a step."""

from __future__ import annotations

import mlflow

from bench.contenders.stepper import Stepper
from bench.stepping import Values


class Contender(Stepper):
    def __init__(self, folder: str, port: int) -> None:
        super().__init__()
        mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
        mlflow.set_experiment("bench")
        mlflow.start_run()

    def step(self, i: int, values: Values) -> None:
        mlflow.log_metrics(values, step=i)
