"""Copying a root from store to store: whole, once, checked, and never over another root."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from stores.faults import Fault, FaultyStore
from stores.roots import BIG, FIRST, FOLDER, SECOND, add_checkpoint, add_session, build_root

from batonpass.core import naming
from batonpass.core.clock import utc_now
from batonpass.core.codec import encode
from batonpass.core.errors import (
    ConflictError,
    FormatError,
    NotFoundError,
    NotOurFolderError,
    StoreError,
    StoreFullError,
    StoreUnreachableError,
)
from batonpass.core.files import hash_bytes
from batonpass.core.manifest_file import encode_manifest
from batonpass.core.model import Annotations, Deletion, Deletions, End, EndKind
from batonpass.core.settings import Settings
from batonpass.core.storage import Store
from batonpass.sync.asking import living_holder
from batonpass.sync.copying import copy_root
from batonpass.sync.reading import read_manifest, read_root, read_run
from batonpass.sync.stores import open_store
from batonpass.sync.stores.memory import MemoryStore


@pytest.fixture
def target(tmp_path) -> Store:
    return open_store(tmp_path / "copy")


def check_whole(store: Store) -> None:
    """Everything that sessions and manifests promise is there, reached by the ids that they name."""
    run = read_run(store, FOLDER)
    assert [file.session.id for file in run.sessions] == [FIRST, SECOND]
    assert run.broken == ()
    for file in run.sessions:
        for listing in file.session.checkpoints:
            assert hash_bytes(store.get(listing.key, store_id=listing.id)).sha256 == listing.manifest_sha256
            for entry in read_manifest(store, listing.key, store_id=listing.id).files:
                body = store.get(naming.pool_file(FOLDER, entry.pool), store_id=entry.id)
                assert hash_bytes(body).sha256 == entry.sha256
        for segment in file.session.segments:
            assert hash_bytes(store.get(segment.key, store_id=segment.id)).sha256 == segment.sha256


def test_every_store_can_be_copied_into_a_folder(store, target):
    """The copy is the same root, whole by every hash in it, without the ids and receipts of the first store."""
    root_id = build_root(store)
    report = copy_root(store, target)
    assert (report.root_id, report.missing, report.kept) == (root_id, (), ())
    assert read_root(target) == read_root(store)
    check_whole(target)
    assert read_run(target, FOLDER).head.session_ids == {}
    assert {info.key for info in store.list_objects("")} - {info.key for info in target.list_objects("")} == {
        naming.receipt_file(FOLDER, "laptop")
    }


def test_every_store_can_be_copied_into(store, tmp_path):
    """A folder's root arrives on each kind of store as a whole, and proven only where the store proves."""
    source = open_store(tmp_path / "source")
    build_root(source)
    copy_root(source, store)
    check_whole(store)
    proven = {listing.proven for file in read_run(store, FOLDER).sessions for listing in file.session.checkpoints}
    assert proven == {store.properties.proves_arrival}


def test_bytes_are_equal_between_stores_without_ids(memory, target):
    """Nothing is written anew where nothing has to change."""
    build_root(memory)
    end_all(memory)
    copy_root(memory, target)
    for info in target.list_objects(""):
        assert target.get(info.key) == memory.get(info.key)


def end_all(store: Store) -> None:
    """Every session has said its end."""
    for file in read_run(store, FOLDER).sessions:
        ended = replace(file.session, end=End(EndKind.CLOSED, file.session.heartbeat_at))
        store.put(naming.session_file(FOLDER, file.session.id), encode(ended))


def test_a_session_that_was_silent_is_as_silent_on_the_new_store(memory, request):
    """Its file is new there, and its silence is not: also in a copy of the copy. Nothing else of it changes."""
    build_root(memory)
    heard = {s.session.id: s.heard_at for s in read_run(memory, FOLDER).sessions}
    before = memory
    for number in (1, 2):
        target = MemoryStore(
            f"{request.node.name}-{number}", now=lambda hours=number: utc_now() + timedelta(hours=hours)
        )
        copy_root(before, target)
        for file in read_run(target, FOLDER).sessions:
            assert abs((file.heard_at - heard[file.session.id]).total_seconds()) < 0.01
            assert file.info.modified > file.heard_at
            first = next(s.session for s in read_run(memory, FOLDER).sessions if s.session.id == file.session.id)
            assert replace(file.session, heard_at=None) == first
        before = target


def test_nobody_waits_in_a_copy_for_a_session_that_was_gone_before_it(memory, request, tmp_path):
    """Who holds the run is judged by the first store's silence; a moment after its last heartbeat it may still live."""
    build_root(memory)
    for hours, lives in ((0, True), (1, False)):
        target = MemoryStore(
            f"{request.node.name}-{hours}", now=lambda hours=hours: utc_now() + timedelta(hours=hours, seconds=10)
        )
        copy_root(memory, target)
        assert (living_holder(target, read_run(target, FOLDER), Settings(tmp_path)) == SECOND) is lives


def test_a_copied_session_that_goes_on_over_there_is_heard_of_again(memory, request):
    """The next heartbeat is written by who does not know of the copy."""
    build_root(memory)
    target = MemoryStore(f"{request.node.name}-target")
    copy_root(memory, target)
    (file, _) = read_run(target, FOLDER).sessions
    target.put(naming.session_file(FOLDER, file.session.id), encode(replace(file.session, heard_at=None, beat=1)))
    (file, _) = read_run(target, FOLDER).sessions
    assert file.heard_at == file.info.modified


def test_what_was_only_handed_over_is_proven_by_a_copy_to_a_store_that_proves(store, tmp_path):
    """Every byte was compared with the new store's own answer; a checkpoint of which a file is missing stays as it is."""
    source = open_store(tmp_path / "source")
    build_root(source)
    for file in read_run(source, FOLDER).sessions:
        listings = tuple(replace(listing, proven=False) for listing in file.session.checkpoints)
        source.put(naming.session_file(FOLDER, file.session.id), encode(replace(file.session, checkpoints=listings)))
    (entry,) = read_manifest(source, read_run(source, FOLDER).sessions[0].session.checkpoints[0].key).files
    source.delete(naming.pool_file(FOLDER, entry.pool))
    copy_root(source, store)
    found = [listing.proven for file in read_run(store, FOLDER).sessions for listing in file.session.checkpoints]
    assert found == [False, store.properties.proves_arrival]


def test_copying_again_sends_nothing(memory, target):
    """The second copy finds everything there, and its progress still ends at the whole."""
    build_root(memory)
    first = copy_root(memory, target)
    steps: list[tuple[int, int, str]] = []
    again = copy_root(memory, target, progress=lambda *step: steps.append(step))
    assert (again.copied, again.size_bytes) == (0, 0)
    assert again.same == first.copied
    assert steps[-1][0] == steps[-1][1]
    assert [done for done, _, _ in steps] == sorted(done for done, _, _ in steps)


@pytest.mark.parametrize("stop_after", range(14))
def test_a_copy_stopped_anywhere_goes_on(memory, request, stop_after):
    """After each write of the target: what a reader finds there is whole, and the next copy finishes without sending that again."""
    build_root(memory)
    target = MemoryStore(f"{request.node.name}-target")
    faulty = StopsAfter(target, stop_after)
    try:
        copy_root(memory, faulty)
    except StoreUnreachableError:
        assert target.list_objects("") == [] or read_root(target) == read_root(memory)
        if naming.head_file(FOLDER) in [info.key for info in target.list_objects("")]:
            check_whole(target)
    else:
        assert stop_after >= 11
    sent_before = len(target.list_objects(""))
    copy_root(memory, target)
    check_whole(target)
    assert len(target.list_objects("")) >= sent_before


class StopsAfter(FaultyStore):
    """Unreachable from the n-th `put` on."""

    def __init__(self, inner: Store, puts: int):
        super().__init__(inner)
        self.left = puts

    def __getattr__(self, name):
        if name == "put":
            self.left -= 1
            if self.left < 0:
                raise StoreUnreachableError("gone", op="put")
        return super().__getattr__(name)


def test_heads_and_sessions_go_last(memory, request):
    """A reader of the target never finds a session that names what has not arrived."""
    build_root(memory)
    order: list[str] = []

    class Recording(MemoryStore):
        def put(self, key, body, **options):
            order.append(key)
            return super().put(key, body, **options)

    copy_root(memory, Recording(f"{request.node.name}-target"))
    assert order[0] == naming.ROOT_FILE
    last = [key for key in order if "/sessions/" in key or key.endswith("head.json")]
    assert order[-3:] == last
    assert order[-1] == naming.head_file(FOLDER)
    manifests = [i for i, key in enumerate(order) if "/checkpoints/" in key]
    files = [i for i, key in enumerate(order) if "/files/" in key]
    assert max(files) < min(manifests)


def test_another_root_is_never_copied_over(memory, request):
    """A target with a root of its own is refused before anything is written."""
    build_root(memory)
    other = MemoryStore(f"{request.node.name}-other")
    build_root(other)
    before = {info.key: info.version for info in other.list_objects("")}
    with pytest.raises(NotOurFolderError, match=read_root(other).root_id):
        copy_root(memory, other)
    assert {info.key: info.version for info in other.list_objects("")} == before


def test_somebody_elses_folder_is_refused(memory, tmp_path):
    """Files without a root are not ours to copy into."""
    build_root(memory)
    (tmp_path / "thesis.docx").touch()
    with pytest.raises(NotOurFolderError):
        copy_root(memory, open_store(tmp_path))


def test_a_source_without_a_root_is_said(memory, target):
    """There is nothing to copy, and nothing is made."""
    with pytest.raises(NotFoundError):
        copy_root(memory, target)
    assert target.list_objects("") == []


def test_a_run_that_went_on_over_there_is_not_hidden(memory, target):
    """The target has a session that the source lacks: ConflictError, and the target's head stays."""
    build_root(memory)
    copy_root(memory, target)
    add_session(target, "20261124t080000-cccccc")
    head = target.get(naming.head_file(FOLDER))
    with pytest.raises(ConflictError, match="cccccc"):
        copy_root(memory, target)
    assert target.get(naming.head_file(FOLDER)) == head
    assert copy_root(target, memory).copied > 0


def test_a_later_edit_on_the_target_stays(memory, target):
    """A title changed on the copy survives the next copy, and the report names it."""
    build_root(memory)
    copy_root(memory, target)
    edited = encode(Annotations(title="Cats, second try"))
    target.put(naming.annotations_file(FOLDER), edited)
    report = copy_root(memory, target)
    assert report.kept == (naming.annotations_file(FOLDER),)
    assert target.get(naming.annotations_file(FOLDER)) == edited


def test_what_a_listing_omits_is_carried_all_the_same(memory, target):
    """A listing that lags hides a file and a session; both are named, so both arrive."""
    build_root(memory)

    class Lagging(FaultyStore):
        def list_objects(self, prefix):
            return [i for i in memory.list_objects(prefix) if "/files/" not in i.key and SECOND not in i.key]

    report = copy_root(Lagging(memory), target)
    assert report.missing == ()
    check_whole(target)


def test_what_is_named_and_gone_is_reported(memory, target):
    """A checkpoint's file that the source lost is in the report; the rest is copied."""
    build_root(memory)
    lost = next(info.key for info in memory.list_objects("") if "/files/200-" in info.key)
    memory.delete(lost)
    assert copy_root(memory, target).missing == (lost,)


def test_a_checkpoint_whose_removal_was_asked_for_is_not_missed(memory, target):
    build_root(memory)
    listing = read_run(memory, FOLDER).sessions[0].session.checkpoints[0]
    memory.delete(listing.key)
    asked = Deletions("laptop", (Deletion(listing.key, utc_now(), removed=True),))
    memory.put(naming.deletions_file(FOLDER, "laptop"), encode(asked))
    assert copy_root(memory, target).missing == ()


def test_a_session_that_publishes_meanwhile_is_copied_as_it_stood(memory, target):
    """A checkpoint published after the copy began is either whole on the target or not named there."""
    build_root(memory)

    def publish(*_: object) -> None:
        if len(memory.list_objects(f"{FOLDER}checkpoints/")) == 2:
            later = add_checkpoint(memory, SECOND, 300, b"later weights")
            earlier = read_run(memory, FOLDER).sessions[1].session
            newer = replace(earlier, checkpoints=(*earlier.checkpoints, later))
            memory.put(naming.session_file(FOLDER, SECOND), encode(newer))

    copy_root(memory, target, progress=publish)
    check_whole(target)
    copy_root(memory, target)
    check_whole(target)
    assert read_run(target, FOLDER).sessions[1].session.checkpoints[-1].step == 300


def test_a_damaged_manifest_is_not_made_good(memory, target):
    """A manifest that no longer matches its listing's hash does not match it on the copy either."""
    build_root(memory)
    listing = read_run(memory, FOLDER).sessions[0].session.checkpoints[0]
    memory.put(listing.key, memory.get(listing.key).replace(b'"step": 100', b'"step": 101'))
    copy_root(memory, target)
    copied = read_run(target, FOLDER).sessions[0].session.checkpoints[0]
    assert hash_bytes(target.get(listing.key)).sha256 != copied.manifest_sha256


def test_a_manifest_that_names_files_outside_is_copied_as_it_is_and_called_unproven(memory, target):
    """One hostile or damaged manifest must not keep a whole root from being copied."""
    build_root(memory)
    listing = read_run(memory, FOLDER).sessions[0].session.checkpoints[0]
    pool = read_manifest(memory, listing.key).files[0].pool
    memory.put(listing.key, memory.get(listing.key).replace(pool.encode(), b"../../x"))
    copy_root(memory, target)
    run = read_run(target, FOLDER)
    assert [file.session.id for file in run.sessions] == [FIRST, SECOND]
    assert run.head.holder == SECOND


def test_bytes_that_arrive_changed_are_sent_again_and_then_told(memory, request):
    """One bad arrival is repaired; a store that always changes bytes is a StoreError."""
    build_root(memory)

    class Corrupting(MemoryStore):
        bad = 1

        def put(self, key, body, **options):
            info = super().put(key, body, **options)
            if "/files/" in key and self.bad:
                self.bad -= 1
                super().put(key, b"?" * info.size_bytes)
            return info

    target = Corrupting(f"{request.node.name}-target")
    copy_root(memory, target)
    check_whole(target)
    hopeless = Corrupting(f"{request.node.name}-hopeless")
    hopeless.bad = 1000
    with pytest.raises(StoreError, match="did not arrive whole"):
        copy_root(memory, hopeless)


def test_a_full_target_says_so(memory, request):
    """StoreFullError comes through as it is."""
    build_root(memory)
    full = FaultyStore(
        MemoryStore(f"{request.node.name}-target"), [Fault("put", make=lambda op: StoreFullError("no space", op=op))]
    )
    with pytest.raises(StoreFullError):
        copy_root(memory, full)


def test_conflict_copies_and_foreign_files_stay_behind(tmp_path, request):
    """What is not named like the format's files is not carried."""
    source = open_store(tmp_path / "source")
    build_root(source)
    (tmp_path / "source" / FOLDER / "head (1).json").write_text("{}")
    target = MemoryStore(request.node.name)
    copy_root(source, target)
    assert not [info.key for info in target.list_objects("") if "(" in info.key]
    assert target.get(next(i.key for i in target.list_objects(f"{FOLDER}files/") if i.size_bytes > 99)) == BIG


class NamesMd5Only(MemoryStore):
    """As some object stores do."""

    def checksum(self, key, *, store_id=None):
        return replace(super().checksum(key, store_id=store_id), sha256=None)


class NamesSha256Only(MemoryStore):
    """As a folder does."""

    def checksum(self, key, *, store_id=None):
        return replace(super().checksum(key, store_id=store_id), md5=None)


def test_stores_that_name_hashes_of_different_kinds_are_compared_by_the_bytes_and_nothing_is_sent_again():
    source, target = NamesSha256Only("names-sha256-only"), NamesMd5Only("names-md5-only")
    build_root(source)
    assert copy_root(source, target).copied
    assert copy_root(source, target).copied == 0


def test_a_manifest_with_another_byte_than_was_written_is_not_believed(memory):
    build_root(memory)
    key = next(info.key for info in memory.list_objects("") if "/checkpoints/" in info.key)
    manifest = memory.get(key)
    sealed = encode_manifest(read_manifest(memory, key))
    memory.put(key, sealed.replace(b'"step": ', b'"step": 1', 1))
    with pytest.raises(FormatError, match="other bytes than were written"):
        read_manifest(memory, key)
    memory.put(key, manifest)
    assert read_manifest(memory, key)
