// The CSV reader: its strictness by cases, its faithfulness by writing random tables and reading
// them back.
#include "datasets/csv.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "tests/support/shared_data.h"

namespace assay::datasets {
namespace {

using Table = std::vector<std::vector<std::string>>;
using ::testing::HasSubstr;

Table read_all(std::string_view text) {
  CsvReader reader(text, "t.csv");
  Table table;
  for (CsvRow row; reader.next(row);) table.push_back(row.cells);
  return table;
}

std::string fault(std::string_view text) {
  return test::error_message([&] { read_all(text); });
}

TEST(Csv, RowsEndInLfOrCrlfAndTheLastNeedNot) {
  const Table expected = {{"a", "b"}, {"c", ""}};
  EXPECT_EQ(read_all("a,b\nc,"), expected);
  EXPECT_EQ(read_all("a,b\nc,\n"), expected);
  EXPECT_EQ(read_all("a,b\r\nc,\r\n"), expected);
  EXPECT_EQ(read_all("a,b\r\nc,"), expected);
  EXPECT_EQ(read_all(""), Table{});
}

TEST(Csv, AnEmptyLineIsARowOfOneEmptyCell) {
  EXPECT_EQ(read_all("a\n\nb\n"), (Table{{"a"}, {""}, {"b"}}));
}

TEST(Csv, QuotesInsideAnUnquotedCellAreText) {
  EXPECT_EQ(read_all("say \"a\",b\n"), (Table{{"say \"a\"", "b"}}));
}

TEST(Csv, MalformedTextIsNamedByItsLine) {
  EXPECT_THAT(fault("a\n\"b\nc"), HasSubstr("t.csv:2: a quoted cell is never closed"));
  EXPECT_THAT(fault("\"a\nb\"\n\"c\"d\n"), HasSubstr("t.csv:3: text after the closing quote"));
  EXPECT_THAT(fault("a\nb\rc\n"), HasSubstr("t.csv:2: a carriage return"));
}

TEST(Csv, ARowBeyondTheLimitIsRefused) {
  const std::string long_cell((std::size_t{16} << 20) + 1, 'x');
  EXPECT_THAT(fault(long_cell), HasSubstr("t.csv:1: a row longer"));
}

/// A cell as RFC 4180 wants it; `always` quotes also where it need not be.
std::string written(const std::string& cell, bool always) {
  const bool needed = cell.find_first_of(",\"\r\n") != std::string::npos;
  if (!always && !needed) return cell;
  std::string out = "\"";
  for (const char c : cell) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

TEST(Csv, RandomTablesReadBackAsTheyWereWritten) {
  constexpr std::string_view kAlphabet = "ab ,\"\"\r\n\t;'\xc3";
  SplitMix64 random(4180);
  for (int round = 0; round < 3000; ++round) {
    const std::size_t columns = 1 + random() % 4;
    const std::string_view row_end = random() % 2 == 0 ? "\n" : "\r\n";
    Table table(1 + random() % 5);
    std::string text;
    for (std::size_t r = 0; r < table.size(); ++r) {
      for (std::size_t c = 0; c < columns; ++c) {
        std::string cell;
        for (std::size_t n = random() % 7; n > 0; --n)
          cell += kAlphabet[random() % kAlphabet.size()];
        // A last row of one empty cell without its end would be no row.
        const bool quoted = random() % 3 == 0 || columns == 1;
        text += (c > 0 ? "," : "") + written(cell, quoted);
        table[r].push_back(std::move(cell));
      }
      if (r + 1 < table.size() || random() % 2 == 0) text += row_end;
    }
    ASSERT_EQ(read_all(text), table) << "round " << round << ": " << text;
  }
}

}  // namespace
}  // namespace assay::datasets
