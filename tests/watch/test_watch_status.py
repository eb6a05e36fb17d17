"""What the newest checkpoint lacks is said in words, wherever somebody asks how a watch is."""

from __future__ import annotations

from watch.metric_files import append, begin_events, scalars
from watch.trainers import safetensors, torch_zip

import batonpass as bp
from batonpass.__main__ import main


def test_a_watch_says_in_words_what_is_safe_what_is_missing_and_where_metrics_come_from(output, watch, look):
    each = watch()
    assert "nothing yet" in str(each.status())
    append(begin_events(output), scalars([(1, "loss", 1.0), (500, "loss", 0.5), (500, "epoch", 2.5)]))
    (output / "step=500.ckpt").write_bytes(torch_zip(1))
    look(each)
    status = each.status()
    assert (status.step, status.epoch, status.rows) == (500, 2.5, 2)
    assert status.missing == status.durable.missing != ()
    text = str(status)
    assert "step 500, epoch 2.5" in text
    assert "verified" in text
    assert all(line in text for line in status.missing)
    assert "2 rows from TensorBoard events (1 file)" in text


def test_the_status_command_lists_what_the_newest_checkpoint_lacks(tmp_path, capsys):
    with bp.watch(tmp_path / "out", run="cats", store=tmp_path / "drive", every_s=0.02, say=lambda _: None) as watch:
        (tmp_path / "out" / "model.safetensors").write_bytes(safetensors(1))
    missing = watch.status().missing
    assert missing
    assert main(["status", "cats", "--store", str(tmp_path / "drive")]) == 0
    text = capsys.readouterr().out
    assert all(line in text for line in missing)
    assert "not called exact" in text
