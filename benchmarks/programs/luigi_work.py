"""The same work for luigi: a task is done when its file is there."""

import json
import subprocess
from pathlib import Path

import luigi

WORK = json.loads(Path("graph.json").read_text())


class One(luigi.Task):
    number = luigi.IntParameter()

    def requires(self):
        return [One(number=needed) for needed in WORK["needs"][self.number]]

    def output(self):
        return luigi.LocalTarget(f"done/{self.number}")

    def run(self):
        subprocess.run(WORK["commands"][self.number], check=True, capture_output=True)
        self.output().open("w").close()


class All(luigi.WrapperTask):
    def requires(self):
        return [One(number=number) for number in range(len(WORK["needs"]))]


luigi.build([All()], workers=1, local_scheduler=True, log_level="ERROR")
