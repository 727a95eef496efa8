"""Completion in the user's shell, by scripts that are tried in the shells that are here."""

import argparse
import shutil
import subprocess
from pathlib import Path

import pytest

from chainrule.cli.completion import SHELLS, completion_script

pytestmark = pytest.mark.quick


@pytest.fixture
def commands() -> dict[str, argparse.ArgumentParser]:
    fit = argparse.ArgumentParser(description="Fit a model's parameters.")
    fit.add_argument("--model", metavar="NAME", help="its name, 100%% of it")
    fit.add_argument("--model.hidden_sizes", help="sizes")
    sample = argparse.ArgumentParser(description="Draw examples.")
    sample.add_argument("run", type=Path)
    sample.add_argument("--out", type=Path)
    return {"fit": fit, "sample": sample}


@pytest.mark.parametrize("shell", SHELLS)
def test_names_every_command_and_flag(shell: str, commands: dict[str, argparse.ArgumentParser]) -> None:
    script = completion_script(shell, commands)
    for name in ("fit", "sample", "model.hidden_sizes", "out", "version"):
        assert name in script
    assert "chainrule" in script
    if shutil.which(shell) is not None:
        subprocess.run([shell, "-n"], input=script, text=True, check=True)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["sa"], ["sample"]),
        (["fit", "--mo"], ["--model", "--model.hidden_sizes"]),
        (["sample", "--out", "weig"], ["weights.safetensors"]),
        (["sample", "weig"], ["weights.safetensors"]),
    ],
)
def test_bash_completes(
    commands: dict[str, argparse.ArgumentParser], tmp_path: Path, words: list[str], expected: list[str]
) -> None:
    (tmp_path / "script").write_text(completion_script("bash", commands))
    (tmp_path / "weights.safetensors").touch()
    ask = 'source ./script; words=(chainrule "$@"); COMP_WORDS=("${words[@]}"); COMP_CWORD=$#;'
    ask += 'function=$(complete -p chainrule | sed "s/.*-F \\([^ ]*\\).*/\\1/");'
    ask += '"$function" chainrule "${words[-1]}" "${words[-2]}"; printf "%s\\n" "${COMPREPLY[@]}"'
    done = subprocess.run(["bash", "-c", ask, "bash", *words], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert sorted(done.stdout.split()) == expected


def test_refuses_an_unknown_shell(commands: dict[str, argparse.ArgumentParser]) -> None:
    with pytest.raises(ValueError, match="one of the shells bash, zsh, fish, got 'csh'"):
        completion_script("csh", commands)
