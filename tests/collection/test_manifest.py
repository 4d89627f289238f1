"""The CSV: every way in which people write one."""

from __future__ import annotations

from pathlib import Path

import pytest

from latentdx.collection.manifest import Manifest, has_patient_column, read_manifest
from latentdx.core.errors import StopError

FILES = ("a/1.png", "a/2.png", "3.png")
PLAIN = "path,label,patient_id,age\na/1.png,no,P1,50\na/2.png,yes,P2,\n3.png,,P3,70\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in FILES:
        (tmp_path / "scans" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "scans" / name).write_bytes(b"any")
    return tmp_path / "scans"


def read(root: Path, data: str | bytes) -> Manifest:
    path = root.parent / "labels.csv"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return read_manifest(path, root)


def refused(root: Path, text: str) -> StopError:
    with pytest.raises(StopError) as caught:
        read(root, text)
    return caught.value


def test_a_plain_table(root: Path) -> None:
    manifest = read(root, PLAIN)
    assert set(manifest.rows) == set(FILES)
    row = manifest.rows["a/1.png"]
    assert (row.number, row.label, row.patient, row.covariates) == (2, "no", "P1", {"age": "50"})
    assert manifest.rows["3.png"].label is None
    assert manifest.rows["a/2.png"].covariates == {}
    assert manifest.notes == ()
    assert not manifest.errors


@pytest.mark.parametrize(
    ("data", "note"),
    [
        (b"\xef\xbb\xbf" + PLAIN.encode(), "byte order mark"),
        (PLAIN.encode("utf-16"), "UTF-16"),
        (PLAIN.encode("utf-16-le"), "UTF-16"),
        (b"\xfe\xff" + PLAIN.encode("utf-16-be"), "UTF-16"),
        (PLAIN.replace("\n", "\r\n").encode(), ""),
        (PLAIN.replace("\n", "\r").encode(), ""),
        (PLAIN.replace(",", ";").encode(), "semicolon"),
        (PLAIN.replace(",", "\t").encode(), "tab"),
        (PLAIN.replace("\n", "\n\n,,,\n").encode(), "8 blank rows"),
        (PLAIN.replace("path", "File", 1).replace("patient_id", " Patient ID ").encode(), ""),
        (PLAIN.replace("a/1", "./a//1").replace("a/2", "a\\2").encode(), ""),
        ((PLAIN + "a/2.png,yes,P2,\n").encode(), "1 repeated rows"),
        (PLAIN.replace("no,P1", " no ,P1").replace(",yes", ", yes").encode(), "spaces around"),
        (
            PLAIN.replace("P2,\n", "P2,NaN\n").encode(),
            "1 cells that say",
        ),
        (
            PLAIN.replace("a/1", "scans/a/1").replace("3.png", "scans/3.png").encode(),
            "2 paths read",
        ),
        (b"sep=;\r\n" + PLAIN.replace(",", ";").encode(), "semicolon"),
    ],
)
def test_other_spellings_say_the_same(root: Path, data: bytes, note: str) -> None:
    plain, other = read(root, PLAIN), read(root, data)

    def said(manifest: Manifest) -> list[tuple[object, ...]]:
        return [(r.path, r.label, r.patient, dict(r.covariates)) for r in manifest.rows.values()]

    assert said(other) == said(plain)
    assert (note in other.notes[0]) if note else not other.notes


def test_windows_1252_and_quoted_newline(root: Path) -> None:
    text = 'file,label,remark\n3.png,no,"two\nlines"\na/1.png,Übel,x\n'
    manifest = read(root, text.encode("cp1252"))
    assert manifest.rows["3.png"].covariates == {"remark": "two\nlines"}
    assert (manifest.rows["a/1.png"].label, manifest.rows["a/1.png"].number) == ("Übel", 4)
    assert "Windows-1252" in manifest.notes[0]


@pytest.mark.parametrize("label", ["恶性", "肺炎", "未见异常"])
def test_what_excel_writes_on_chinese_windows(root: Path, label: str) -> None:
    manifest = read(root, f"file,label\r\n3.png,{label}\r\n".encode("gb18030"))
    assert manifest.rows["3.png"].label == label
    assert "GB 18030" in manifest.notes[0]


@pytest.mark.parametrize("label", ["bénin", "lésion ôtée", "naïve", "größer", "señal", "£ÀÉ café"])
def test_western_letters_are_not_taken_for_chinese(root: Path, label: str) -> None:
    manifest = read(root, f"file,label\n3.png,{label}\n".encode("cp1252"))
    assert manifest.rows["3.png"].label == label


def test_spaces_that_alone_part_two_labels_are_kept_and_stopped_at_later(root: Path) -> None:
    manifest = read(root, "path,label\n3.png,no \na/1.png,no\n")
    assert [manifest.rows[name].label for name in ("3.png", "a/1.png")] == ["no ", "no"]


def test_a_patient_who_is_not_known_is_no_patient(root: Path) -> None:
    manifest = read(root, "path,patient_id,site\n3.png,N/A,null\na/1.png,Nan Li,NULL\n")
    assert [manifest.rows[name].patient for name in ("3.png", "a/1.png")] == [None, "Nan Li"]
    assert {row.site for row in manifest.rows.values()} == {None}


def test_a_scan_may_be_called_nan(root: Path) -> None:
    (root / "NaN").write_bytes(b"any")
    assert read(root, "path,label\nNaN,no\n").rows["NaN"].label == "no"


def test_a_path_from_the_source_wins_over_one_from_the_table(root: Path) -> None:
    (root / "scans").mkdir()
    (root / "scans" / "3.png").write_bytes(b"another")
    assert set(read(root, "path\nscans/3.png\n").rows) == {"scans/3.png"}


def test_a_line_is_counted_with_the_one_that_names_the_separator(root: Path) -> None:
    assert read(root, "sep=,\npath,label\n3.png,no\n").rows["3.png"].number == 3


def test_a_table_without_labels_is_told_to_be_so(root: Path) -> None:
    assert any("no column 'label'" in note for note in read(root, "path,site\n3.png,A\n").notes)


@pytest.mark.parametrize("start", [b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"])
def test_a_workbook_is_no_csv(root: Path, start: bytes) -> None:
    (root.parent / "labels.csv").write_bytes(start + bytes(range(256)))
    with pytest.raises(StopError, match="workbook") as caught:
        read_manifest(root.parent / "labels.csv", root)
    assert (caught.value.code, "CSV" in caught.value.fix) == ("E_CSV", True)


def test_rows_that_lead_nowhere_are_errors_of_their_own(root: Path) -> None:
    (root.parent / "out.png").write_bytes(b"any")
    rows = ["9.png,no", "../out.png,no", f"{root.parent}/out.png,no", ",no", f"{root}/3.png,yes"]
    manifest = read(root, "path,label\n" + "\n".join(rows))
    codes = {number: error.code for number, error in manifest.errors.items()}
    assert codes == {2: "E_MISSING_FILE", 3: "E_PATH", 4: "E_PATH", 5: "E_MISSING_FILE"}
    assert manifest.errors[2].path == "9.png"
    assert "line 2" in manifest.errors[2].found
    assert set(manifest.rows) == {"3.png"}


def test_two_labels_for_one_scan(root: Path) -> None:
    error = refused(root, "path,label\n3.png,no\na/1.png,no\n./3.png,yes\n")
    assert error.code == "E_LABEL_CONFLICT"
    assert "3.png: 'no' (line 2), 'yes' (line 4)" in error.found


def test_two_patients_for_one_scan(root: Path) -> None:
    assert refused(root, "path,patient_id\n3.png,P1\n3.png,P2\n").code == "E_CSV"


def test_several_labels_in_a_cell(root: Path) -> None:
    manifest = read(root, "path,label\na/1.png,no\n3.png,effusion;mass\n")
    assert manifest.rows["3.png"].label == "effusion;mass"


@pytest.mark.parametrize(
    ("header", "advice"),
    [
        ("name_of,label", ""),
        ("paths,label", "'paths'"),
        ("path,labels", "'labels'"),
        ("path,label,patientid", "'patientid'"),
        ("path,label,label", "rename"),
    ],
)
def test_a_header_that_does_not_fit(root: Path, header: str, advice: str) -> None:
    error = refused(root, f"{header}\n3.png\n")
    assert error.code == "E_CSV"
    assert advice in error.fix
    assert header.split(",")[1] in error.found


def test_parts_are_known_names(root: Path) -> None:
    manifest = read(root, "path,part\n3.png,Validation\na/1.png,\n")
    assert manifest.rows["3.png"].part == "val"
    assert manifest.rows["a/1.png"].part is None
    error = refused(root, "path,part\n3.png,tset\n")
    assert (error.code, "'tset'" in error.found) == ("E_CSV", True)


def test_columns_that_name_a_person_are_left_out(root: Path) -> None:
    manifest = read(root, "path,patient_name,sex\n3.png,Doe^Jane,F\n")
    assert manifest.rows["3.png"].covariates == {"sex": "F"}
    assert "patient_name left out" in manifest.notes[0]


@pytest.mark.parametrize("text", ["", "\n\n", "path,label\n3.png,no,more\n", 'path\n"3\0.png"\n'])
def test_tables_that_are_none(root: Path, text: str) -> None:
    error = refused(root, text) if "\0" not in text else None
    if error is None:
        manifest = read(root, text)
        assert [item.code for item in manifest.errors.values()] == ["E_PATH"]
    else:
        assert error.code == "E_CSV"


def test_a_table_with_patients_is_recognised(tmp_path: Path) -> None:
    (tmp_path / "yes.csv").write_text("image;patient_id\na;1\n")
    (tmp_path / "no.csv").write_text("patient_id,age\n1,2\n")
    assert has_patient_column(tmp_path / "yes.csv")
    assert not has_patient_column(tmp_path / "no.csv")
    assert not has_patient_column(tmp_path / "absent.csv")
