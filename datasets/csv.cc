#include "datasets/csv.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "datasets/limits.h"

namespace assay::datasets {

CsvReader::CsvReader(std::string_view text, std::string source)
    : text_(text), source_(std::move(source)) {}

void CsvReader::fail(std::int64_t line, std::string_view reason) const {
  throw_input("{}:{}: {}", source_, line, reason);
}

std::string CsvReader::quoted_cell() {
  const std::int64_t first_line = line_;
  std::string cell;
  for (++at_; at_ < text_.size();) {
    const std::size_t quote = text_.find('"', at_);
    if (quote == std::string_view::npos) break;
    const std::string_view piece = text_.substr(at_, quote - at_);
    line_ += std::count(piece.begin(), piece.end(), '\n');
    cell += piece;
    at_ = quote + 1;
    if (at_ == text_.size() || text_[at_] != '"') return cell;
    cell += '"';
    ++at_;
  }
  fail(first_line, "a quoted cell is never closed");
}

std::string CsvReader::plain_cell() {
  const std::size_t end = std::min(text_.find_first_of(",\r\n", at_), text_.size());
  std::string cell(text_.substr(at_, end - at_));
  at_ = end;
  return cell;
}

bool CsvReader::at_row_end() {
  if (at_ == text_.size()) return true;
  if (text_[at_] == '\r') {
    if (at_ + 1 < text_.size() && text_[at_ + 1] != '\n') {
      fail(line_, "a carriage return outside quotes that ends no line");
    }
    at_ = std::min(at_ + 2, text_.size());
  } else if (text_[at_] == '\n') {
    ++at_;
  } else {
    return false;
  }
  ++line_;
  return true;
}

bool CsvReader::next(CsvRow& row) {
  if (at_ == text_.size()) return false;
  row.cells.clear();
  row.line = line_;
  const std::size_t start = at_;
  for (;;) {
    const bool quoted = at_ < text_.size() && text_[at_] == '"';
    row.cells.push_back(quoted ? quoted_cell() : plain_cell());
    if (at_ - start > kMaxLineBytes) fail(row.line, "a row longer than the 16 MiB accepted here");
    if (at_row_end()) return true;
    if (text_[at_] != ',') fail(line_, "text after the closing quote of a cell");
    ++at_;
  }
}

}  // namespace assay::datasets
