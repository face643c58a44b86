import pytest

from aulib import record
from aulib.record import copy_all, training_copies


def test_every_run_of_the_profile_is_recorded_with_its_provenance():
    copies = training_copies("standin")
    names = {f"{t.parent.name}/{t.name}" for t in copies.values()}
    for model in ("baseline", "proposed"):
        for seed in (42, 43, 44):
            assert f"{model}_{seed}/outputs.parquet" in names
            assert f"{model}_{seed}/provenance.json" in names
    assert not [name for name in names if name.endswith(".pt")]


def test_licensed_codes_are_never_recorded():
    with pytest.raises(ValueError, match="profile bp4d: .* licensed"):
        training_copies("bp4d")


def test_benchmarks_that_are_there_are_recorded(tmp_path, monkeypatch):
    monkeypatch.setattr(record, "ROOT", tmp_path)
    assert record.bench_copies() == {}
    made = tmp_path / "runs" / "bench"
    made.mkdir(parents=True)
    (made / "cpu.csv").touch()
    target = tmp_path / "data" / "benchmarks" / "cpu.csv"
    assert record.bench_copies() == {made / "cpu.csv": target}


def test_nothing_is_copied_where_a_file_is_missing(tmp_path):
    (tmp_path / "a").write_text("a")
    copies = {tmp_path / name: tmp_path / "to" / name for name in ("a", "b")}
    with pytest.raises(FileNotFoundError, match="b: not there; let `make`"):
        copy_all(copies)
    assert not (tmp_path / "to").exists()
    (tmp_path / "b").write_text("b")
    copy_all(copies)
    assert (tmp_path / "to" / "b").read_text() == "b"
