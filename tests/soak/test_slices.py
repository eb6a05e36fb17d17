"""A short, seeded slice of each campaign, and the controls: with a guard taken away, the campaign notices."""

from __future__ import annotations

import pytest

from batonpass.core.errors import NotFoundError
from batonpass.sync.mirror import Mirror
from soak import kills, torn


def test_after_each_of_some_kills_under_faults_all_that_is_durable_restores():
    campaign = kills.run(6, seed=3)
    assert campaign.kills >= 5
    assert campaign.restored > 0
    assert campaign.faults > 0


def test_a_mirror_that_lists_what_it_did_not_send_is_noticed():
    with pytest.raises(NotFoundError):
        kills.run(3, seed=3, careless=True)


def test_a_file_that_is_written_over_while_it_is_sent_is_never_published_torn():
    found = torn.run(25, seed=3)
    assert found.torn == 0
    assert found.published
    assert found.refused


def test_without_the_stores_own_checksum_a_torn_file_would_be_published(monkeypatch):
    real = Mirror._look

    def trusting(self, entry):
        return real(self, entry) or self._store.stat(f"{torn.FOLDER}files/{entry.pool}", store_id=entry.id)

    monkeypatch.setattr(Mirror, "_look", trusting)
    monkeypatch.setattr("soak.torn.fetch_checkpoint", torn.fetch_unchecked)
    assert torn.run(25, seed=3).torn > 0
