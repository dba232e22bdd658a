"""Every file people really send: read, or refused with the place and what to do. Nothing is guessed."""

import zipfile
from pathlib import Path

import pytest

from shared.domain import sheets
from shared.sheets import files, heads, workbooks


def read(folder: Path, body: bytes, name: str = "rows.csv", **options: object) -> list[sheets.Record]:
    path = folder / "input"
    path.write_bytes(body)
    layout = files.layout_of(path, name, sheets.Options(**options))  # type: ignore[arg-type] # a builder
    return list(files.records(path, layout))


def columns(folder: Path, body: bytes, name: str = "rows.csv") -> tuple[str, ...]:
    path = folder / "input"
    path.write_bytes(body)
    return files.layout_of(path, name, sheets.Options()).columns


def cells(found: list[sheets.Record]) -> list[list[str]]:
    return [record.cells for record in found]


TABLE = [["1", "Zoë"], ["2", "🦢"]]
TEXT = "id,name\n1,Zoë\n2,🦢\n"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(TEXT.encode(), id="plain"),
        pytest.param(b"\xef\xbb\xbf" + TEXT.encode(), id="with a byte order mark"),
        pytest.param(TEXT.encode("utf-16"), id="UTF-16 with its mark"),
        pytest.param(TEXT.replace("\n", "\r").encode(), id="CR only"),
        pytest.param(TEXT.replace("\n", "\r\n").encode(), id="CR LF"),
        pytest.param(TEXT.replace(",", ";").encode(), id="semicolons"),
        pytest.param(TEXT.replace(",", "\t").encode(), id="tabs"),
        pytest.param(TEXT.replace(",", "|").encode(), id="bars"),
        pytest.param(b"sep=;\r\n" + TEXT.replace(",", ";").encode(), id="sep="),
        pytest.param(TEXT.rstrip("\n").encode(), id="no last line end"),
        pytest.param(TEXT.replace("\n", "\n\n").encode(), id="blank lines"),
        pytest.param(b'"id","name"\n"1","Zo\xc3\xab"\n"2","\xf0\x9f\xa6\xa2"\n', id="all quoted"),
    ],
)
def test_the_same_table_however_it_is_written(tmp_path: Path, body: bytes) -> None:
    found = read(tmp_path, body)
    assert cells(found) == TABLE
    assert [record.fault for record in found] == [None, None]


def test_a_named_encoding_is_used_and_the_wrong_one_is_not_guessed(tmp_path: Path) -> None:
    body = "id,name\n1,Zoë\n".encode("cp1252")
    with pytest.raises(sheets.SheetError) as caught:
        read(tmp_path, body)
    assert (caught.value.code, caught.value.line) == ("bad_encoding", 2)
    assert "cp1252" in caught.value.message
    assert cells(read(tmp_path, body, encoding=sheets.Encoding.CP1252)) == [["1", "Zoë"]]


def test_bytes_that_are_no_utf8_far_into_the_file_are_a_fault_of_their_row(tmp_path: Path) -> None:
    many = b"".join(b"%d,abcdefghij\n" % number for number in range(10_000))
    assert len(many) > heads.HEAD_BYTES
    found = read(tmp_path, b"id,name\n" + many + b"x,Zo\xeb\ny,good\n")
    bad = [record for record in found if record.fault]
    assert [(record.line, record.fault and record.fault.code) for record in bad] == [(10_002, "bad_encoding")]
    assert bad[0].fault is not None
    assert bad[0].fault.column == "name"
    assert found[-1].cells == ["y", "good"]


def test_lines_and_rows_are_counted_apart(tmp_path: Path) -> None:
    found = read(tmp_path, b'a,b\n"one\ntwo",1\n\nx\ny,2\n')
    assert [(record.number, record.line) for record in found] == [(1, 2), (2, 5), (3, 6)]
    assert found[0].cells == ["one\ntwo", "1"]
    assert found[1].fault == sheets.RowFault("ragged_row", "The row has 1 cells; the header has 2.")
    assert found[2].fault is None


@pytest.mark.parametrize(
    ("body", "code", "column"),
    [
        (b"a,b\n1,2,3\n4,5\n", "ragged_row", None),
        (b"a,b\n1,x\0y\n4,5\n", "nul_character", "b"),
        (b'a,b\n1,"x"y\n4,5\n', "bad_quoting", None),
        (b"a,b\n,\n4,5\n", "empty_row", None),
        (b"a,b\n1," + b"x" * 10_000_000 + b"\n4,5\n", "cell_too_long", "b"),
    ],
)
def test_a_faulty_row_does_not_stop_the_others(tmp_path: Path, body: bytes, code: str, column: str | None) -> None:
    bad, good = read(tmp_path, body)
    assert bad.fault is not None
    assert (bad.fault.code, bad.fault.column, bad.line) == (code, column, 2)
    assert len(bad.cells) == 2
    assert all("\0" not in cell and len(cell) <= 1000 for cell in bad.cells)
    assert (good.cells, good.fault, good.line) == (["4", "5"], None, 3)


@pytest.mark.parametrize(
    ("body", "name", "code"),
    [
        (b"", "rows.csv", "empty_file"),
        (b"\n\n", "rows.csv", "empty_file"),
        (b"a,b,a\n1,2,3\n", "rows.csv", "duplicate_header"),
        (b"a, a \n1,2\n", "rows.csv", "duplicate_header"),
        (b"a,,c\n1,2,3\n", "rows.csv", "empty_header"),
        (b"a,b\0\n1,2\n", "rows.csv", "nul_character"),
        (",".join(f"c{n}" for n in range(201)).encode() + b"\n", "rows.csv", "too_many_columns"),
        ("a,b\n1,2\n".encode("utf-16-le"), "rows.csv", "bad_encoding"),
        (b'{"a": 1}\n', "rows.csv", "wrong_form"),
        (b"PK\x03\x04rest", "rows.csv", "wrong_form"),
        (b"a,b\n1,2\n", "rows.xlsx", "wrong_form"),
        (b"a,b\n1,2\n", "rows.jsonl", "wrong_form"),
        (b"\xd0\xcf\x11\xe0rest", "rows.xls", "wrong_form"),
        (b"PK\x03\x04 and then nothing more", "rows.xlsx", "bad_workbook"),
        (b'{"a": 1\n', "rows.jsonl", "invalid_json_line"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, body: bytes, name: str, code: str) -> None:
    with pytest.raises(sheets.SheetError) as caught:
        read(tmp_path, body, name)
    assert caught.value.code == code
    assert caught.value.message


def test_a_header_without_rows_has_none(tmp_path: Path) -> None:
    assert read(tmp_path, b"a,b\n") == []
    assert columns(tmp_path, b"a,b\n") == ("a", "b")


def test_a_quote_that_is_never_closed_is_refused_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(sheets.SheetError) as caught:
        read(tmp_path, b'a,b\n1,2\n3,"open\n5,6\n')
    assert (caught.value.code, caught.value.line) == ("unclosed_quote", 3)


def test_json_lines(tmp_path: Path) -> None:
    body = '{"id": 7, "name": "Zoë", "tags": ["a"], "none": null}\n\n{"name": "x"}\nnot json\n[1]\n{"odd": 1}\n'
    found = read(tmp_path, body.encode(), "rows.jsonl")
    assert found[0].cells == ["7", "Zoë", '["a"]', ""]
    assert found[1].cells == ["", "x", "", ""]
    faults = [(record.line, record.fault.code if record.fault else None) for record in found]
    assert faults == [(1, None), (3, None), (4, "invalid_json_line"), (5, "invalid_json_line"), (6, "unknown_field")]


def workbook(path: Path, rows: str, *, padding: int = 0) -> Path:
    """A small .xlsx with these XML rows; `padding` bytes of nothing make it a bomb."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            "[Content_Types].xml",
            f'<Types xmlns="{package}/content-types"><Default Extension="xml" ContentType="application/xml"/></Types>',
        )
        archive.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{package}/relationships"><Relationship Id="rId1" '
            f'Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        )
        archive.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>'
            '<sheet name="Prompts" sheetId="1" r:id="rId1"/></sheets></workbook>',
        )
        archive.writestr(
            "xl/_rels/workbook.xml.rels",
            f'<Relationships xmlns="{package}/relationships"><Relationship Id="rId1" '
            f'Type="{office}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        )
        sheet = f'<worksheet xmlns="{main}"><sheetData>{rows}</sheetData></worksheet>'
        archive.writestr("xl/worksheets/sheet1.xml", sheet + " " * padding)
    return path


def text(cell: str, value: str) -> str:
    return f'<c r="{cell}" t="inlineStr"><is><t>{value}</t></is></c>'


ROWS = (
    f'<row r="1">{text("A1", "name")}{text("B1", "seed")}</row>'
    f'<row r="2">{text("A2", "Zoë 🦢")}<c r="B2"><v>7</v></c></row>'
    f'<row r="4">{text("A4", "=1+1")}<c r="B4"><v>0.5</v></c></row>'
)


def test_a_workbook_is_read_as_text(tmp_path: Path) -> None:
    found = read(tmp_path, workbook(tmp_path / "w.xlsx", ROWS).read_bytes(), "w.xlsx")
    assert cells(found) == [["Zoë 🦢", "7"], ["=1+1", "0.5"]]
    assert [record.line for record in found] == [2, 4]


def test_a_sheet_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    body = workbook(tmp_path / "w.xlsx", ROWS).read_bytes()
    assert len(read(tmp_path, body, "w.xlsx", sheet="Prompts")) == 2
    with pytest.raises(sheets.SheetError, match="Prompts") as caught:
        read(tmp_path, body, "w.xlsx", sheet="Other")
    assert caught.value.code == "unknown_sheet"


def test_a_zip_bomb_is_refused_before_it_is_opened(tmp_path: Path) -> None:
    bomb = workbook(tmp_path / "w.xlsx", ROWS, padding=files.MOST_WORKBOOK_BYTES)
    assert bomb.stat().st_size < files.MOST_WORKBOOK_BYTES / 100
    with pytest.raises(sheets.SheetError) as caught:
        read(tmp_path, bomb.read_bytes(), "w.xlsx")
    assert caught.value.code == "workbook_too_large"


def test_a_zip_that_lies_about_its_sizes_is_weighed_all_the_same(tmp_path: Path) -> None:
    path = workbook(tmp_path / "w.xlsx", ROWS, padding=3_000_000)
    true_size = len("".join(zipfile.ZipFile(path).read("xl/worksheets/sheet1.xml").decode())).to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(true_size, (100).to_bytes(4, "little")))
    with pytest.raises(sheets.SheetError) as caught:
        workbooks.weigh(path, 1_000_000)
    assert caught.value.code == "workbook_too_large"
