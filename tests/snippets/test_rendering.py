"""What the rendered cells say, refuse and cannot be made to do. Executed in a kernel elsewhere; here they are only read."""

from __future__ import annotations

import ast
import dataclasses
import hashlib
import json
import re

import nbformat
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from IPython.core.inputtransformer2 import TransformerManager

from batonpass.core.errors import FormatError, UsageError
from batonpass.core.snippets import (
    Cell,
    CheckpointPick,
    Snippet,
    SnippetInputs,
    Target,
    WheelFile,
    day_one,
    render,
    to_notebook,
)
from batonpass.core.snippets.cells import plain

AGENT = WheelFile("batonpass-0.1.0-py3-none-any.whl", "ab" * 32, id="drive-id-1")
INPUTS = SnippetInputs(
    run_name="cats-v2",
    run_id="1f2e3d4c",
    root_id="0a1b2c3d4e5f",
    store="gdrive://batonpass",
    account="school",
    goal_steps=10_000,
    wheels=(AGENT,),
    newest_step=4_200,
    token_file="/users/me/token.json",
)
FOLDER_INPUTS = dataclasses.replace(INPUTS, store="/data/batonpass")
BUILT = (
    (Target.COLAB, INPUTS),
    (Target.COLAB_MOUNT, INPUTS),
    (Target.KAGGLE, INPUTS),
    (Target.KAGGLE, FOLDER_INPUTS),
    (Target.LOCAL, INPUTS),
    (Target.LOCAL, FOLDER_INPUTS),
    (Target.TORCH, FOLDER_INPUTS),
)
HOSTILE = "a'\"\\\n$run_name ${store} {x} \u2028\u202e'''\"\"\"\r%magic\n!ls\n```<script>é\ud800"
hostile_text = st.text(alphabet=st.characters(exclude_categories=()), min_size=1)


def literals(snippet: Snippet) -> set[object]:
    """Every constant that the snippet's code would evaluate."""
    return {node.value for node in ast.walk(ast.parse(snippet.code)) if isinstance(node, ast.Constant)}


def shape(snippet: Snippet) -> str:
    """The syntax of the code with every constant taken out: equal for two snippets that differ in values only."""
    tree = ast.parse(snippet.code)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant):
            node.value = None
    return ast.dump(tree)


@pytest.mark.parametrize(("target", "inputs"), BUILT)
@settings(max_examples=40, deadline=None)
@given(text=hostile_text)
@example(text=HOSTILE)
@example(text="'); import os; os.remove('x'); ('")
def test_no_value_can_break_out_of_its_literal(target: Target, inputs: SnippetInputs, text: str):
    """Each value arrives as exactly itself, and the code around it keeps its shape, in Python and in IPython."""
    changes = {"run_name": text, "account": text, "run_id": text, "root_id": text, "token_file": text}
    if inputs.folder is not None:
        changes["store"] = "/" + text
    inputs = dataclasses.replace(inputs, pick=CheckpointPick("key", 3))
    snippet = render(target, dataclasses.replace(inputs, pick=CheckpointPick(text, 3), **changes))

    assert text in literals(snippet)
    assert shape(snippet) == shape(render(target, inputs))
    for cell in snippet.cells:
        if cell.kind == "code":
            assert TransformerManager().transform_cell(cell.source) == cell.source + "\n"


def test_the_breakout_check_can_fail():
    """A template that pasted a value without repr would be caught."""
    honest = render(Target.LOCAL, FOLDER_INPUTS)
    name = "x', *[print(1)], 'y"
    pasted = Snippet(
        "local", tuple(Cell(c.kind, c.source.replace("'cats-v2'", f"'{name}'")) for c in honest.cells), "", ""
    )
    assert shape(pasted) != shape(honest)
    assert name not in literals(pasted)


@given(text=st.text())
@example(text="# big\n<img src=x onerror=alert(1)> [a](javascript:alert(1)) `code` **b** https://evil.example")
def test_markdown_made_of_a_hostile_name_stays_one_inert_line(text: str):
    """No line break, no HTML tag, no unescaped mark-up, and never longer than asked."""
    inert = plain(text)
    assert "\n" not in inert
    assert not {"<", ">"} & set(inert)
    bare = inert.replace("\\\\", "").replace("\\`", "").replace("\\[", "").replace("\\*", "").replace("\\:", "")
    assert not {"`", "[", "*", ":"} & set(bare)


@pytest.mark.parametrize(("target", "inputs"), BUILT)
def test_a_snippet_is_a_valid_notebook_with_the_same_cells(target: Target, inputs: SnippetInputs):
    """The file is what nbformat calls valid, and holds the cells unchanged."""
    snippet = render(target, inputs)
    data = to_notebook(snippet)
    book = nbformat.reads(data.decode(), as_version=nbformat.NO_CONVERT)
    nbformat.validate(book)
    assert (book.nbformat, book.nbformat_minor) == (4, 5)
    assert [c.source for c in book.cells] == [c.source for c in snippet.cells]
    assert [c.cell_type for c in book.cells] == [c.kind for c in snippet.cells]
    assert data == to_notebook(snippet)


def test_a_notebook_survives_names_that_no_encoding_likes():
    """Quotes, line breaks and half a surrogate pair are still one valid file."""
    snippet = render(Target.COLAB_MOUNT, dataclasses.replace(INPUTS, run_name=HOSTILE))
    assert json.loads(to_notebook(snippet))["cells"][-2]["cell_type"] == "code"
    assert HOSTILE in literals(snippet)


def test_the_order_is_reach_install_start_train():
    """The Drive is mounted before the wheel is read, the wheel checked before pip, and nothing starts before that."""
    code = render(Target.COLAB_MOUNT, INPUTS).code
    places = [
        code.index(part)
        for part in (
            "drive.mount(",
            "def read_wheel",
            "hexdigest() != sha256",
            'pip_install("--no',
            "bp.start(",
            "run.attach(",
        )
    ]
    assert places == sorted(places)


@pytest.mark.parametrize(("target", "inputs"), [pair for pair in BUILT if pair[0] is not Target.TORCH])
def test_every_start_names_the_run_and_the_root_by_id(target: Target, inputs: SnippetInputs):
    """A start with both ids must resume: the cell never begins another run."""
    calls = [n for n in ast.walk(ast.parse(render(target, inputs).code)) if isinstance(n, ast.Call)]
    start = next(c for c in calls if isinstance(c.func, ast.Attribute) and c.func.attr == "start")
    given_values = {k.arg: ast.unparse(k.value) for k in start.keywords}
    assert given_values["run_id"] == repr(INPUTS.run_id)
    assert given_values["root_id"] == repr(INPUTS.root_id)


@pytest.mark.parametrize(("target", "inputs"), BUILT)
def test_no_snippet_upgrades_or_holds_a_secret(target: Target, inputs: SnippetInputs):
    """Nothing asks pip to upgrade, and a credential is only ever read from where secrets live."""
    code = render(target, inputs).code
    assert "--upgrade" not in code
    assert "-U" not in code
    assert "refresh_token" not in code


def test_the_torch_snippet_imports_no_library_of_ours():
    """Only the standard library and safetensors (the model brings torch)."""
    tree = ast.parse(render(Target.TORCH, FOLDER_INPUTS).code)
    names = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    names |= {n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    assert names == {"hashlib", "json", "pathlib", "safetensors"}


@pytest.mark.parametrize("target", [Target.HF, Target.LIGHTNING])
@pytest.mark.parametrize("inputs", [INPUTS, FOLDER_INPUTS])
def test_a_trainers_cell_resumes_by_id_and_begins_nothing(target: Target, inputs: SnippetInputs):
    """The callback is given the run's id, and a store without that run raises before anything is trained."""
    snippet = render(target, inputs)
    last = snippet.cells[-1].source
    assert f"BatonpassCallback({inputs.run_id!r}, " in last
    assert (
        last.index("resume_from()") < last.index("raise RuntimeError(") < max(last.find(".fit("), last.find(".train("))
    )
    assert "bp.start(" not in snippet.code


@pytest.mark.parametrize("target", [Target.HF, Target.LIGHTNING])
@settings(max_examples=40, deadline=None)
@given(text=hostile_text)
@example(text=HOSTILE)
def test_no_value_can_break_out_of_a_trainers_cell(target: Target, text: str):
    """As above, for the values that these cells use."""
    snippet = render(
        target, dataclasses.replace(FOLDER_INPUTS, run_name=text, run_id=text, account=text, store="/" + text)
    )
    assert text in literals(snippet)
    assert shape(snippet) == shape(render(target, FOLDER_INPUTS))


def test_a_trainers_cell_cannot_be_given_a_chosen_checkpoint():
    with pytest.raises(UsageError, match="newest") as caught:
        render(Target.HF, dataclasses.replace(INPUTS, pick=CheckpointPick("key", 3)))
    assert "restore" in caught.value.hint


def test_an_unknown_target_names_those_there_are():
    with pytest.raises(UsageError, match="colab-mount") as caught:
        Target.parse("tpu-farm")
    assert caught.value.hint


@pytest.mark.parametrize(
    ("target", "changes", "words"),
    [
        (Target.COLAB, {"run_id": None}, "run's id"),
        (Target.COLAB, {"root_id": None}, "root id"),
        (Target.COLAB, {"wheels": ()}, "agent does not lie"),
        (Target.COLAB, {"wheels": (WheelFile(AGENT.name, AGENT.sha256),)}, "Drive id"),
        (Target.COLAB, {"store": "/data/batonpass"}, "does not see it"),
        (Target.TORCH, {}, "reads a folder"),
        (Target.LOCAL, {"store": "memory://trial"}, "no cell is known"),
    ],
)
def test_a_missing_input_is_refused_with_a_hint(target: Target, changes: dict, words: str):
    with pytest.raises(UsageError, match=words) as caught:
        render(target, dataclasses.replace(INPUTS, **changes))
    assert caught.value.hint


@pytest.mark.parametrize("name", ["../../evil.whl", "a/b.whl", "x.whl\nimport os", "", ".hidden.whl"])
def test_a_wheel_name_that_leads_elsewhere_is_refused(name: str):
    with pytest.raises(FormatError):
        WheelFile(name, "ab" * 32)


@pytest.mark.parametrize(
    ("store", "folder"),
    [
        ("/data/runs", "/data/runs"),
        ("C:/runs", "C:/runs"),
        ("file:///data/my%20runs", "/data/my runs"),
        ("file:///C:/runs", "C:/runs"),
        ("gdrive://batonpass", None),
        ("a:b", "a:b"),
    ],
)
def test_a_store_is_a_folder_unless_it_is_a_url_of_another_kind(store: str, folder: str | None):
    assert dataclasses.replace(INPUTS, store=store).folder == folder


@pytest.mark.parametrize("folder", ["/etc", "../other", "MyDrive/../../x"])
def test_a_drive_folder_stays_below_its_mount(folder: str):
    with pytest.raises(UsageError, match="below the mount"):
        dataclasses.replace(INPUTS, drive_folder=folder)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "after step 4,200 of 10,000"),
        ({"newest_step": None}, "never begins from zero"),
        (
            {"pick": CheckpointPick("runs/x-1/checkpoints/3000-a-1.json", 3_000)},
            "after step 3,000 of 10,000, as you chose",
        ),
    ],
)
def test_it_says_what_will_be_restored(changes: dict, words: str):
    assert words in render(Target.COLAB_MOUNT, dataclasses.replace(INPUTS, **changes)).says


def test_a_chosen_checkpoint_stands_in_the_start():
    """The notebook does what the sentence says; without a choice nothing is pinned, so the newest one counts."""
    key = "runs/x-1f2e3d4c/checkpoints/3000-a-1.json"
    chosen = render(Target.LOCAL, dataclasses.replace(FOLDER_INPUTS, pick=CheckpointPick(key, 3_000)))
    assert f"checkpoint={key!r}" in chosen.code
    assert "checkpoint=" not in render(Target.LOCAL, FOLDER_INPUTS).code


def test_without_a_goal_the_loop_is_the_nested_one():
    """The flat loop needs a number of steps to end at."""
    assert "run.epochs(EPOCHS)" in render(Target.COLAB, dataclasses.replace(INPUTS, goal_steps=None)).code


def test_a_first_day_notebook_carries_the_wheel_and_its_hash():
    """On an empty Drive there is no wheel to fetch: it stands in the notebook, byte for byte, before the install."""
    wheel = bytes(range(256)) * 50
    new = dataclasses.replace(INPUTS, run_id=None, root_id=None, wheels=())
    snippet = day_one(Target.COLAB_MOUNT, new, {AGENT.name: wheel})
    carried = next(c for c in snippet.cells if "carried-wheels" in c.tags)
    scope: dict = {}
    exec(carried.source, scope)
    import base64

    assert base64.b64decode(scope["CARRIED"][AGENT.name]) == wheel
    assert hashlib.sha256(wheel).hexdigest() in snippet.code
    assert [
        snippet.code.index(w) for w in ("drive.mount(", "CARRIED = ", "hexdigest() != sha256", "bp.start(")
    ] == sorted(snippet.code.index(w) for w in ("drive.mount(", "CARRIED = ", "hexdigest() != sha256", "bp.start("))
    assert "run_id" not in snippet.code
    nbformat.validate(nbformat.reads(to_notebook(snippet).decode(), as_version=4))


def test_an_argument_with_nothing_to_say_is_left_out():
    """Who pastes the cell reads only what was decided; what is known stays."""
    bare = dataclasses.replace(INPUTS, run_id=None, root_id=None, account="", goal_steps=None)
    new = day_one(Target.COLAB_MOUNT, bare, {AGENT.name: b"x"}).code
    assert "bp.start(\n    'cats-v2',\n    store=str(STORE),\n)" in new
    known = dataclasses.replace(bare, root_id="abc", account="school", goal_steps=5)
    said = day_one(Target.COLAB_MOUNT, known, {AGENT.name: b"x"}).code
    assert "    account='school',\n    goal_steps=5,\n    root_id='abc',\n)" in said
    for target in Target:
        inputs = FOLDER_INPUTS if target in (Target.LOCAL, Target.TORCH, Target.HF, Target.LIGHTNING) else INPUTS
        code = render(target, dataclasses.replace(inputs, account="", goal_steps=None)).code
        assert not re.search(r"\w=None *[,)]", code), target


def test_a_first_day_notebook_without_a_wheel_is_refused():
    with pytest.raises(UsageError, match="carries the agent"):
        day_one(Target.KAGGLE, INPUTS, {})
    with pytest.raises(UsageError, match="no first-day notebook"):
        day_one(Target.TORCH, INPUTS, {AGENT.name: b"x"})


def test_a_run_at_its_goal_is_said_to_be_there_and_how_to_go_on():
    said = render(Target.LOCAL, dataclasses.replace(INPUTS, newest_step=10_000, goal_steps=10_000)).says
    assert "has reached its goal of 10,000 steps" in said
    assert "larger goal" in said
    assert (
        "continues after step 9,999 of 10,000"
        in render(Target.LOCAL, dataclasses.replace(INPUTS, newest_step=9_999, goal_steps=10_000)).says
    )


def test_a_session_that_is_gone_is_named_in_the_start_and_only_then():
    assert "takeover" not in render(Target.LOCAL, INPUTS).code
    taking = render(Target.LOCAL, dataclasses.replace(INPUTS, gone=HOSTILE))
    assert f"    takeover={HOSTILE!r}," in taking.code
    assert HOSTILE in literals(taking)


@pytest.mark.parametrize(
    "snippet", [render(Target.KAGGLE, INPUTS), render(Target.LOCAL, INPUTS)], ids=["kaggle", "local"]
)
def test_ones_own_cells_have_their_place_between_the_install_and_the_start(snippet):
    """A slip in them must not leave a run taken that nothing trains."""
    sources = [cell.source for cell in snippet.cells]
    (mine,) = [place for place, source in enumerate(sources) if "Your own cells go here" in source]
    (start,) = [place for place, source in enumerate(sources) if "bp.start(" in source]
    (install,) = [place for place, source in enumerate(sources) if "hexdigest() != sha256" in source]
    assert install < mine < start
