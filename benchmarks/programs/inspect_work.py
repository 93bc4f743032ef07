"""The same number of samples for Inspect AI, answered by its mock model."""

import json
from pathlib import Path

import inspect_ai
from inspect_ai.dataset import Sample
from inspect_ai.scorer import includes

WORK = json.loads(Path("graph.json").read_text())
samples = [Sample(input=f"task {number}", target="Default") for number in range(len(WORK["needs"]))]
inspect_ai.eval(
    inspect_ai.Task(dataset=samples, scorer=includes()), model="mockllm/model", display="none", log_dir="logs"
)
