"""How far the cells of each target are tested, said as it is. The named tests execute the cell's own text; tests/snippets holds this to it."""

from __future__ import annotations

from batonpass.core.snippets.inputs import Target

_KILLED = "Executed in our tests, whole, in a fresh process: a run killed before goes on from"
_STAND_IN = "Colab and Kaggle themselves are stood in for there: their mount and secrets are imitations."

TESTED = {
    Target.COLAB_MOUNT: (f"{_KILLED} a folder. {_STAND_IN}", "test_a_killed_run_continues_from_a_folder"),
    Target.COLAB: (f"{_KILLED} an emulated Drive. {_STAND_IN}", "test_a_killed_run_continues_through_the_drive_api"),
    Target.KAGGLE: (
        f"{_KILLED} a folder and an emulated Drive. {_STAND_IN}",
        "test_a_killed_run_continues_through_the_drive_api",
    ),
    Target.LOCAL: (
        f"{_KILLED} a folder and an emulated Drive.",
        "test_a_killed_run_continues_from_a_folder",
    ),
    Target.TORCH: (
        "Executed in our tests where nothing of ours is installed: it loads exactly the newest weights.",
        "test_it_loads_exactly_the_newest_weights",
    ),
    Target.HF: (
        "Our tests check this cell's text and resume the real Trainer through the same callback; the cell as a whole is not executed.",
        "test_a_trainers_cell_resumes_by_id_and_begins_nothing",
    ),
    Target.LIGHTNING: (
        "Our tests check this cell's text and resume the real Lightning through the same callback; the cell as a whole is not executed.",
        "test_a_trainers_cell_resumes_by_id_and_begins_nothing",
    ),
}
"""Target -> (a sentence for the user, the test that holds it true)."""
