"""Parquet, for those who installed `genqueue[parquet]`."""

import importlib
import io
from collections.abc import Sequence
from typing import Any

from shared import errors


class Writer:
    """Rows of texts into one Parquet file, handed out as it grows. Raises UnsupportedValueError without pyarrow."""

    def __init__(self, names: Sequence[str]) -> None:
        try:
            self._arrow: Any = importlib.import_module("pyarrow")
            self._parquet: Any = importlib.import_module("pyarrow.parquet")
        except ImportError:
            raise errors.UnsupportedValueError(
                "Parquet is not installed here; the operator can add genqueue[parquet].",
                param="format",
                accepted=["csv", "jsonl"],
            ) from None
        self._sink = io.BytesIO()
        self._schema = self._arrow.schema([(name, self._arrow.string()) for name in names])
        self._writer = self._parquet.ParquetWriter(_Tail(self._sink), self._schema)

    def add(self, rows: Sequence[Sequence[str | None]]) -> bytes:
        """Add rows as one group; the bytes that are ready."""
        columns = [list(column) for column in zip(*rows, strict=True)]
        arrays = [self._arrow.array(column, self._arrow.string()) for column in columns]
        self._writer.write_table(self._arrow.Table.from_arrays(arrays, schema=self._schema))
        return self._drain()

    def finish(self) -> bytes:
        """The end of the file."""
        self._writer.close()
        return self._drain()

    def _drain(self) -> bytes:
        ready = self._sink.getvalue()
        self._sink.seek(0)
        self._sink.truncate()
        return ready


class _Tail(io.RawIOBase):
    """What the writer writes to: counts what went through, so that its offsets are those of the whole file."""

    def __init__(self, sink: io.BytesIO) -> None:
        self._sink = sink
        self._written = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:  # noqa: ANN401 - a buffer
        size = self._sink.write(bytes(data))
        self._written += size
        return size

    def tell(self) -> int:
        return self._written
