"""What is written for other schedulers, read by their own parsers."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import check_jsonschema
import jsonschema
import pytest
import yaml

from tidings.errors import UsageError
from tidings.scheduling.exporting import TARGETS, exported
from tidings.settings import load_settings

REPORT = """[[schedule]]
cron = "0 8 * * mon"
pull = true
[[audience]]
name = "the board's"
channels = ["mail"]
to = ["ann@example.com"]
[[audience]]
name = "team"
channels = ["chat"]
"""
COMMAND = Path("/opt/tid ings/bin/tidings")


@pytest.fixture
def files(world) -> dict[str, dict[str, str]]:
    world.report(REPORT)
    object.__setattr__(
        world.settings, "environment", {"SHOP_TOKEN": "hunter22hunter22", "MAIL_PASSWORD": "correct-horse"}
    )
    return {target: exported(world.settings, target, COMMAND) for target in TARGETS}


def test_no_secret_and_no_recipient_is_in_any_of_them(files) -> None:
    text = json.dumps(files)
    assert "hunter22" not in text and "correct-horse" not in text and "ann@example.com" not in text


def test_a_crontab_has_one_line_of_five_fields_and_a_command_that_a_shell_reads(files, world) -> None:
    [line] = [line for line in files["cron"]["crontab"].splitlines() if line and not line.startswith("#")]
    *fields, command = line.split(maxsplit=5)
    assert fields == ["*/5", "*", "*", "*", "*"]
    said = subprocess.run(["bash", "-n", "-c", command], capture_output=True, text=True)
    assert said.returncode == 0 and "'/opt/tid ings/bin/tidings' due" in command and str(world.settings.root) in command


def test_the_cron_of_debian_reads_it(files, tmp_path: Path) -> None:
    if shutil.which("crontab") is None:
        pytest.skip("crontab is not here")
    file = tmp_path / "crontab"
    file.write_text(files["cron"]["crontab"])
    said = subprocess.run(["crontab", "-n", str(file)], capture_output=True, text=True)
    assert said.returncode == 0, said.stderr
    file.write_text("*/5 * * * cd\n")
    assert subprocess.run(["crontab", "-n", str(file)], capture_output=True).returncode != 0


def test_systemd_reads_service_and_timer(files, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not here")
    for name, text in files["systemd"].items():
        # The command of this test is not on the machine, and systemd looks.
        tmp_path.joinpath(name).write_text(text.replace(str(COMMAND), "/bin/true"))
    said = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *map(str, tmp_path.glob("tidings.*"))], capture_output=True, text=True
    )
    ours = [line for line in said.stderr.splitlines() if "tidings" in line]
    assert ours == [], said.stderr


def test_github_reads_the_workflow(files) -> None:
    folder = Path(check_jsonschema.__file__).parent / "builtin_schemas" / "vendor"
    schema = json.loads((folder / "github-workflows.json").read_text())
    text = files["github"]["tidings.yml"]
    workflow: dict[Any, Any] = yaml.safe_load(text)
    # YAML 1.1 reads the key `on` as true.
    workflow["on"] = workflow.pop(True)
    jsonschema.validate(workflow, schema)
    job = workflow["jobs"]["due"]
    assert job["env"]["MAIL_PASSWORD"] == "${{ secrets.MAIL_PASSWORD }}"
    assert job["env"]["TIDINGS_SECRETS"].split() == sorted(job["env"]["TIDINGS_SECRETS"].split())
    for each in job["steps"]:
        # Whoever starts the workflow by hand types the inputs: they reach the shell as variables alone.
        assert "${{" not in each.get("run", "")
        assert subprocess.run(["bash", "-n", "-c", each.get("run", "true")]).returncode == 0


def test_a_missing_secret_fails_visibly(files) -> None:
    workflow = yaml.safe_load(files["github"]["tidings.yml"])
    [check] = [each["run"] for each in workflow["jobs"]["due"]["steps"] if each.get("name") == "Every secret is there"]
    env = {"PATH": "/usr/bin:/bin", "TIDINGS_SECRETS": "ONE TWO", "ONE": "x"}
    said = subprocess.run(["bash", "-e", "-c", check], env=env, capture_output=True, text=True)
    assert said.returncode == 1 and "::error::The secret TWO is not set" in said.stdout and "ONE" not in said.stdout
    said = subprocess.run(["bash", "-e", "-c", check], env={**env, "TWO": "y"}, capture_output=True, text=True)
    assert (said.returncode, said.stdout) == (0, "")


class _Tasks:
    """Stands for what a scheduler's file imports, and keeps what it is told."""

    def __init__(self) -> None:
        self.made: list[dict[str, Any]] = []

    def __call__(self, *given: Any, **named: Any) -> Any:
        self.made.append(named)
        return self

    def __enter__(self) -> _Tasks:
        return self

    def __exit__(self, *_: object) -> None: ...

    def __rshift__(self, other: Any) -> Any:
        return other

    __rrshift__ = __rshift__


def test_airflow_gets_a_task_per_pull_build_run_and_delivery(files, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = _Tasks()
    for name in ("airflow", "airflow.sdk", "airflow.providers", "airflow.providers.standard",
                 "airflow.providers.standard.operators", "airflow.providers.standard.operators.bash"):  # fmt: skip
        module = types.ModuleType(name)
        module.DAG = module.BashOperator = tasks  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, name, module)
    exec(compile(files["airflow"]["tidings_airflow.py"], "airflow", "exec"), {})
    commands = [made["bash_command"] for made in tasks.made if "bash_command" in made]
    begin = "'/opt/tid ings/bin/tidings' step weekly/main"
    assert commands == [
        f"{begin} pull shop", f"{begin} build", f"{begin} run",
        f"{begin} deliver 'the board'\"'\"'s'", f"{begin} deliver team",
    ]  # fmt: skip


def test_dagster_gets_python(files) -> None:
    tree = ast.parse(files["dagster"]["tidings_dagster.py"])
    assert {node.name for node in tree.body if isinstance(node, ast.FunctionDef)} == {
        "step",
        "command",
        "first",
        "weekly_main",
    }


def test_another_scheduler_is_refused(world) -> None:
    with pytest.raises(UsageError, match="Did you mean 'cron'"):
        exported(world.settings, "crn", COMMAND)


@pytest.mark.parametrize(("target", "module"), [("airflow", "airflow.sdk"), ("dagster", "dagster")])
def test_the_real_scheduler_reads_it(files, target: str, module: str) -> None:
    pytest.importorskip(module, reason=f"{target} is not installed")
    [text] = files[target].values()
    exec(compile(text, target, "exec"), {"__name__": "tidings_export"})


def test_the_workflow_of_this_repository_is_what_is_exported(root: Path) -> None:
    [text] = exported(load_settings(root), "github", COMMAND).values()
    assert (root / ".github" / "workflows" / "tidings.yml").read_text(encoding="utf-8") == text


def test_only_secrets_that_a_source_or_channel_reads_are_asked_for(world) -> None:
    world.report(REPORT)
    object.__setattr__(world.settings, "environment", {"SHOP_TOKEN": "hunter22hunter22", "OLDPWD": "/somewhere/else"})
    [text] = exported(world.settings, "github", COMMAND).values()
    assert "SHOP_TOKEN" in text and "OLDPWD" not in text
