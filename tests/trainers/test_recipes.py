"""The recipes of docs/CHECKPOINTS.md, as they stand there: the first day begins, the second resumes on another machine."""

from __future__ import annotations

import pytest
from trainers.libraries import need

pytestmark = [pytest.mark.trainers, pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.mark.parametrize(
    ("title", "library"),
    [("Hugging Face Transformers", "transformers"), ("Lightning", "lightning"), ("Keras", "keras")],
)
def test_the_page_works_on_both_days(play, title, library):
    need(library)
    first = play("recipe.py", "first", title)
    assert first.code == 0, first.said
    assert "my-run is NEW" in first.said
    second = play("recipe.py", "second", title)
    assert second.code == 0, second.said
    assert "is back in" in second.said
