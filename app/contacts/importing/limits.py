"""How large a file may be, in one place; the upload page states these."""

from __future__ import annotations

FILE_BYTES_MAX = 64 * 1024 * 1024
ROWS_MAX = 2_000_000
COLUMNS_MAX = 300
LINE_CHARS_MAX = 1_000_000
# What a workbook may hold once unpacked: a real one of 64 MB stays far below, a zip bomb does not.
UNPACKED_BYTES_MAX = 1024 * 1024 * 1024
SHARED_TEXT_BYTES_MAX = 200 * 1024 * 1024
ZIP_ENTRIES_MAX = 5_000
EMPTY_ROWS_IN_A_ROW_MAX = 200_000
