// Any bytes as CSV: rows that are read and written again with every cell quoted read the same, and
// lines are counted right.
#include <algorithm>
#include <string>

#include "base/text.h"
#include "datasets/csv.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/input.h"

namespace assay::fuzz {

std::vector<std::string> seeds() {
  return {"",
          "a,b,c\n1,2,3\n",
          "\"a \"\"quoted\"\" cell\",\"two\r\nlines\",\r\nx,,\r\n",
          "\"never closed",
          "\"a\"b,c\n",
          "a\rb\n",
          ",,,\n\n\n",
          "\xef\xbb\xbf"
          "a,b\n",
          "x\r"};
}

namespace {

std::vector<datasets::CsvRow> rows_of(const std::string& text) {
  datasets::CsvReader reader(text, "input");
  std::vector<datasets::CsvRow> rows;
  datasets::CsvRow row;
  while (reader.next(row)) rows.push_back(row);
  return rows;
}

std::string quoted(const std::vector<datasets::CsvRow>& rows) {
  std::string out;
  for (const datasets::CsvRow& row : rows) {
    for (std::size_t i = 0; i < row.cells.size(); ++i) {
      out += (i == 0 ? "\"" : ",\"") + replace_all(row.cells[i], "\"", "\"\"") + "\"";
    }
    out += "\n";
  }
  return out;
}

}  // namespace

}  // namespace assay::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace assay;  // NOLINT(google-build-using-namespace): one function
  const std::string text = fuzz::text_of(data, size);
  fuzz::accepted([&] {
    const std::vector<datasets::CsvRow> rows = fuzz::rows_of(text);
    const std::vector<datasets::CsvRow> again = fuzz::rows_of(fuzz::quoted(rows));
    ASSAY_CHECK(rows.size() == again.size(), text);
    const std::int64_t lines = 1 + std::count(text.begin(), text.end(), '\n');
    std::int64_t last = 0;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      ASSAY_CHECK(rows[i].cells == again[i].cells, text);
      ASSAY_CHECK(rows[i].line > last && rows[i].line <= lines, "line");
      last = rows[i].line;
    }
  });
  return 0;
}
