// Every format, and every way a file can be wrong, with small files made here.
#include "datasets/load.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/file.h"
#include "tests/support/shared_data.h"

namespace assay::datasets {
namespace {

using ::testing::HasSubstr;

class LoadFiles : public ::testing::Test {
 protected:
  /// A manifest of one file with the digest and count given.
  Manifest one_file(FileFormat format, const std::string& content, std::int64_t records) {
    write_file_atomic(folder_.path() / "data", content);
    Manifest manifest{.name = "toy"};
    manifest.files.push_back({.path = "data",
                              .split = "test",
                              .format = format,
                              .sha256 = sha256_hex(content),
                              .records = records});
    return manifest;
  }
  Loaded load(const Manifest& manifest, const LoadOptions& options = {}) {
    return load_split(manifest, "test", folder_.path(), options);
  }
  std::string fault(const Manifest& manifest, const LoadOptions& options = {}) {
    return test::error_message([&] { load(manifest, options); });
  }

  test::TemporaryFolder folder_;
};

TEST_F(LoadFiles, JsonLinesBecomeRecordsWithRowAndLine) {
  const auto manifest = one_file(FileFormat::kJsonl, "{\"a\":1}\n\n{\"a\":2}", 2);
  const Loaded loaded = load(manifest);
  ASSERT_EQ(loaded.records.size(), 2U);
  EXPECT_EQ(loaded.records[1].row, 1);
  EXPECT_EQ(loaded.records[1].line, 3);
  EXPECT_EQ(loaded.records[1].fields.at("a").as_int(), 2);
  EXPECT_TRUE(loaded.published);
}

TEST_F(LoadFiles, AMalformedLineIsNamedByFileAndLine) {
  const auto manifest = one_file(FileFormat::kJsonl, "{\"a\":1}\n{\"a\":\n{\"a\":3}\n", 3);
  EXPECT_THAT(fault(manifest), HasSubstr("data:2"));
}

TEST_F(LoadFiles, SkippingBadLinesListsThemAndKeepsTheRowsOfTheOthers) {
  const auto manifest = one_file(FileFormat::kJsonl, "{\"a\":1}\n{\"a\":\n{\"a\":3}\n", 3);
  const Loaded loaded = load(manifest, {.skip_bad = true});
  ASSERT_EQ(loaded.records.size(), 2U);
  EXPECT_EQ(loaded.records[1].row, 2);
  ASSERT_EQ(loaded.bad.size(), 1U);
  EXPECT_THAT(loaded.bad[0].place, HasSubstr("data:2"));
}

TEST_F(LoadFiles, ALineThatIsNoObjectIsAnError) {
  EXPECT_THAT(fault(one_file(FileFormat::kJsonl, "[1]\n", 1)), HasSubstr("data:1: a JSON object"));
}

TEST_F(LoadFiles, AMissingMemberIsAnError) {
  auto manifest = one_file(FileFormat::kJsonl, "{\"a\":1}\n{\"b\":1}\n", 2);
  manifest.files[0].required = {"a"};
  EXPECT_THAT(fault(manifest), HasSubstr("data:2: \"a\" is missing"));
}

TEST_F(LoadFiles, AnotherDigestIsAnErrorUnlessTheDataIsCustom) {
  auto manifest = one_file(FileFormat::kJsonl, "{\"a\":1}\n", 1);
  manifest.files[0].sha256 = sha256_hex("other");
  EXPECT_THAT(fault(manifest), HasSubstr("sha256"));
  EXPECT_FALSE(load(manifest, {.custom = true}).published);
}

TEST_F(LoadFiles, AnotherCountIsAnErrorUnlessTheDataIsCustom) {
  const auto manifest = one_file(FileFormat::kJsonl, "{\"a\":1}\n", 2);
  EXPECT_THAT(fault(manifest), HasSubstr("1 records, 2 were published"));
  EXPECT_EQ(load(manifest, {.custom = true}).records.size(), 1U);
}

TEST_F(LoadFiles, NoRecordAtAllIsAnErrorForCustomDataToo) {
  EXPECT_THAT(fault(one_file(FileFormat::kJsonl, "", 0), {.custom = true}),
              HasSubstr("no usable record"));
}

TEST_F(LoadFiles, CsvCellsMayHoldBreaksQuotesAndTheWordNone) {
  const auto manifest =
      one_file(FileFormat::kCsv, "q,a\r\n\"one\r\ntwo\nthree\",None\r\n\"say \"\"hi\"\"\", x ", 2);
  const Loaded loaded = load(manifest);
  ASSERT_EQ(loaded.records.size(), 2U);
  EXPECT_EQ(loaded.records[0].fields.at("q").as_string(), "one\r\ntwo\nthree");
  EXPECT_EQ(loaded.records[0].fields.at("a").as_string(), "None");
  EXPECT_EQ(loaded.records[0].line, 2);
  EXPECT_EQ(loaded.records[1].line, 5);
  EXPECT_EQ(loaded.records[1].fields.at("q").as_string(), "say \"hi\"");
  EXPECT_EQ(loaded.records[1].fields.at("a").as_string(), " x ");
}

TEST_F(LoadFiles, AMissingColumnIsNamed) {
  auto manifest = one_file(FileFormat::kCsv, "question,b\n1,2\n", 1);
  manifest.files[0].required = {"Question"};
  EXPECT_THAT(fault(manifest), HasSubstr("data:1: the header has no column \"Question\""));
}

TEST_F(LoadFiles, ARowWithTooFewCellsIsNamed) {
  const auto manifest = one_file(FileFormat::kCsv, "a,b\n1,2\n3\n", 2);
  EXPECT_THAT(fault(manifest), HasSubstr("data:3: 1 cells, 2 were expected"));
}

TEST_F(LoadFiles, TsvSplitsAtTabsOnlyAndKeepsQuotes) {
  auto manifest = one_file(FileFormat::kTsv, "say \"a, b\"\t1\n\"x\t2\n", 2);
  manifest.files[0].columns = {"q", "a"};
  const Loaded loaded = load(manifest);
  EXPECT_EQ(loaded.records[0].fields.at("q").as_string(), "say \"a, b\"");
  EXPECT_EQ(loaded.records[1].fields.at("q").as_string(), "\"x");
}

TEST_F(LoadFiles, InvalidUtf8InACellIsAnError) {
  auto manifest = one_file(FileFormat::kTsv, "\xff\t1\n", 1);
  manifest.files[0].columns = {"q", "a"};
  EXPECT_THAT(fault(manifest), HasSubstr("data:1: column \"q\" is no valid UTF-8"));
}

TEST_F(LoadFiles, AMissingFileSaysHowToGetIt) {
  auto manifest = one_file(FileFormat::kJsonl, "{}\n", 1);
  manifest.files[0].path = "elsewhere";
  EXPECT_THAT(fault(manifest), HasSubstr("assay datasets fetch toy"));
}

TEST_F(LoadFiles, AnAlternativeIsReadOnlyWhereTheFirstSourceIsMissing) {
  auto manifest = one_file(FileFormat::kJsonl, "{\"a\":1}\n", 1);
  DataFile other = manifest.files[0];
  other.alternative = true;
  other.path = "other";
  manifest.files.push_back(other);
  EXPECT_EQ(load(manifest).records.size(), 1U);
  std::filesystem::rename(folder_.path() / "data", folder_.path() / "other");
  const Loaded loaded = load(manifest);
  ASSERT_EQ(loaded.records.size(), 1U);
  EXPECT_THAT(loaded.records[0].file, HasSubstr("other"));
}

// A user's own subjects in the upstream form: groups are what lies there, not what was published.
TEST_F(LoadFiles, CustomDataBringsItsOwnGroups) {
  Manifest manifest{.name = "toy"};
  for (const char* group : {"algebra", "anatomy"}) {
    manifest.files.push_back({.path = std::string("t/") + group + "_test.csv",
                              .split = "test",
                              .group = group,
                              .format = FileFormat::kCsv,
                              .columns = {"q"},
                              .records = 1});
  }
  std::filesystem::create_directories(folder_.path() / "t");
  write_file_atomic(folder_.path() / "t/cooking_test.csv", "salt?\n");
  write_file_atomic(folder_.path() / "t/anatomy_test.csv", "bones?\n");
  write_file_atomic(folder_.path() / "t/cooking_dev.csv", "not this\n");
  const Loaded loaded = load(manifest, {.custom = true});
  ASSERT_EQ(loaded.records.size(), 2U);
  EXPECT_EQ(loaded.records[0].group, "anatomy");
  EXPECT_EQ(loaded.records[1].group, "cooking");
  EXPECT_FALSE(loaded.published);
  EXPECT_THAT(fault(manifest), HasSubstr("algebra_test.csv"));
}

TEST_F(LoadFiles, AnUnknownSplitOrGroupIsAnError) {
  const auto manifest = one_file(FileFormat::kJsonl, "{}\n", 1);
  EXPECT_THAT(test::error_message([&] { load_split(manifest, "tests", folder_.path()); }),
              HasSubstr("did you mean \"test\"?"));
  EXPECT_THAT(fault(manifest, {.group = "de"}), HasSubstr("no group \"de\""));
}

}  // namespace
}  // namespace assay::datasets
