// Strict comma-separated values, RFC 4180: rows end in LF or CRLF (the last one need not), cells in
// quotes may hold commas, line breaks of any kind and doubled quotes. Every cell is text; blanks
// are kept and no word ("None", "nan") means anything. Beyond the RFC, a quote inside a cell that
// does not begin with one is text: published files (MMLU) have such cells.
// Refused: text after a closing quote, a quote that is never closed, a bare CR outside quotes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace assay::datasets {

struct CsvRow {
  std::vector<std::string> cells;
  std::int64_t line = 0;  // first line of the row, from 1; line breaks inside cells count
};

class CsvReader {
 public:
  /// `text` must outlive the reader. `source` names it in errors.
  CsvReader(std::string_view text, std::string source);

  /// The next row, or false at the end of the text.
  /// Throws: Error(kInput) "source:line: reason" for malformed text, or a row longer than the limit
  /// on lines; nothing can be read afterwards.
  bool next(CsvRow& row);

 private:
  [[noreturn]] void fail(std::int64_t line, std::string_view reason) const;
  std::string quoted_cell();
  std::string plain_cell();
  /// Steps over a row's end: LF, CRLF or the end of the text.
  bool at_row_end();

  std::string_view text_;
  std::string source_;
  std::size_t at_ = 0;
  std::int64_t line_ = 1;
};

}  // namespace assay::datasets
