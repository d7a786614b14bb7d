"""What GitHub is told to run exists here: it is first run when the repository is public."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

TOP = Path(__file__).parents[1]
WORKFLOWS = sorted((TOP / ".github" / "workflows").glob("*.yml"))
PROJECT = tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))["project"]
KEYS = {"name", "on", "permissions", "concurrency", "jobs", "env", "defaults"}
JOB_KEYS = {
    *("name", "needs", "if", "runs-on", "timeout-minutes", "strategy", "environment"),
    *("permissions", "steps", "env", "outputs", "concurrency"),
}
STEP_KEYS = {"name", "id", "if", "uses", "with", "run", "env", "shell", "working-directory"}
RUNNERS = {"ubuntu-latest", "macos-latest", "windows-latest", "${{ matrix.os }}"}


def load(path):
    # In YAML 1.1 the key `on` is a boolean.
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {"on" if key is True else key: value for key, value in workflow.items()}


def jobs():
    for path in WORKFLOWS:
        for name, job in load(path)["jobs"].items():
            yield pytest.param(path, name, job, id=f"{path.stem}-{name}")


def commands():
    for path in WORKFLOWS:
        for job in load(path)["jobs"].values():
            yield from (step["run"] for step in job["steps"] if "run" in step)


def matrix(job):
    """All values that a job's matrix gives to each of its variables."""
    given = job.get("strategy", {}).get("matrix", {})
    values = {key: set(items) for key, items in given.items() if key != "include"}
    for extra in given.get("include", []):
        for key, value in extra.items():
            values.setdefault(key, set()).add(value)
    return values


def test_there_are_workflows():
    assert {path.stem for path in WORKFLOWS} >= {"tests", "weekly", "release", "docs"}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_the_workflow_has_what_github_asks_for(path):
    workflow = load(path)
    assert set(workflow) <= KEYS
    assert {"name", "on", "permissions", "jobs"} <= set(workflow)
    assert set(workflow["on"]) <= {"push", "pull_request", "schedule", "workflow_dispatch"}


@pytest.mark.parametrize(("path", "name", "job"), list(jobs()))
def test_the_job_is_sound(path, name, job):
    assert set(job) <= JOB_KEYS
    assert job["runs-on"] in RUNNERS
    assert job["timeout-minutes"] <= 60  # GitHub's own limit is six hours
    needed = job.get("needs", [])
    needed = {needed} if isinstance(needed, str) else set(needed)
    assert needed <= set(load(path)["jobs"])
    variables = matrix(job)
    used = set(re.findall(r"\bmatrix\.(\w+)", yaml.safe_dump(job)))
    assert used == set(variables)
    for step in job["steps"]:
        assert set(step) <= STEP_KEYS
        assert ("run" in step) != ("uses" in step)
        assert re.fullmatch(r"[\w.-]+(/[\w.-]+)+@[\w./-]+", step.get("uses", "a/b@v1"))


@pytest.mark.parametrize(("path", "name", "job"), list(jobs()))
def test_versions_are_never_reckoned_from_a_shallow_clone(path, name, job):
    """hatch-vcs takes a clone without tags for a first version, and says nothing."""
    for step in job["steps"]:
        if step.get("uses", "").startswith("actions/checkout"):
            assert step["with"]["fetch-depth"] == 0


def test_every_target_of_make_exists():
    makefile = (TOP / "Makefile").read_text(encoding="utf-8")
    known = set(re.findall(r"^([\w-]+):", makefile, re.MULTILINE))
    named = {target for run in commands() for target in re.findall(r"\bmake ([\w-]+)", run)}
    assert named >= {"test", "lint", "docs", "dist", "coverage", "test-lowest"}
    assert named <= known
    (phony,) = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert named <= set(phony.split())


def test_windows_runs_what_make_runs():
    """Without make: its recipes are for a Unix shell."""
    makefile = (TOP / "Makefile").read_text(encoding="utf-8")
    (arguments,) = re.findall(r"^PYTEST := (.+)$", makefile, re.MULTILINE)
    (workers,) = re.findall(r"^WORKERS \?= (\d+)$", makefile, re.MULTILINE)
    (groups,) = re.findall(
        r"^\$\(VENV\)/\.installed-test-.*\n.* -m pip install --quiet (.+)$", makefile, re.MULTILINE
    )
    steps = load(TOP / ".github" / "workflows" / "tests.yml")["jobs"]["windows"]["steps"]
    runs = [step["run"] for step in steps if "run" in step]
    assert f"python {arguments.replace('$(WORKERS)', workers)}" in runs
    installed = groups.replace("$(QT)", "pyqt6").replace("'", '"')
    assert f"python -m pip install {installed}" in runs


def test_every_extra_group_and_binding_exists():
    tests = load(TOP / ".github" / "workflows" / "tests.yml")["jobs"]
    extras = PROJECT["optional-dependencies"]
    assert matrix(tests["linux"])["qt"] == {"pyqt6", "pyside6", "pyqt5"} <= set(extras)
    makefile = (TOP / "Makefile").read_text(encoding="utf-8")
    everything = "\n".join([makefile, *commands()])
    for named in re.findall(r"(?:\.|whl\)?\"?)\[([\w,$()]+)\]", everything):
        assert set(named.split(",")) - {"$(QT)"} <= set(extras)
    groups = tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))
    assert set(re.findall(r"--group ([\w-]+)", everything)) <= set(groups["dependency-groups"])


def test_all_versions_of_python_are_tested_that_we_claim():
    claimed = set(
        re.findall(r"Python :: (3\.\d+)$", "\n".join(PROJECT["classifiers"]), re.MULTILINE)
    )
    jobs = load(TOP / ".github" / "workflows" / "tests.yml")["jobs"]
    assert matrix(jobs["linux"])["python"] == claimed
    assert f">={min(claimed, key=lambda version: int(version[2:]))}" == PROJECT["requires-python"]


def test_publishing_needs_no_password():
    path = TOP / ".github" / "workflows" / "release.yml"
    publish = load(path)["jobs"]["publish"]
    assert publish["permissions"] == {"id-token": "write"}
    assert "secrets." not in path.read_text(encoding="utf-8")
    assert load(path)["on"]["push"] == {"tags": ["v*"]}


def test_continuous_integration_here_runs_the_readme_s_command():
    script = (TOP / ".ci" / "run").read_text(encoding="utf-8")
    readme = (TOP / "README.md").read_text(encoding="utf-8")
    assert re.search(r"^make test$", script, re.MULTILINE)
    assert re.search(r"^make test\b", readme, re.MULTILINE)


def test_issue_forms_are_sound_and_bugs_come_with_a_report():
    folder = TOP / ".github" / "ISSUE_TEMPLATE"
    for path in folder.glob("*.yml"):
        form = yaml.safe_load(path.read_text(encoding="utf-8"))
        if path.name == "config.yml":
            assert form["contact_links"]
            continue
        assert {"name", "description", "body"} <= set(form)
        ids = [part["id"] for part in form["body"]]
        assert len(ids) == len(set(ids))
        assert all(part["attributes"]["label"] for part in form["body"])
    assert "Copy report" in (folder / "bug.yml").read_text(encoding="utf-8")


def test_the_citation_is_that_of_the_project():
    citation = yaml.safe_load((TOP / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["license"] == PROJECT["license"]
    assert citation["repository-code"] == PROJECT["urls"]["Source"]
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
