#include "base/file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <zlib.h>

#include "base/digest.h"
#include "base/error.h"
#include "tests/support/shared_data.h"

namespace assay {
namespace {

TEST(File, WriteThenReadGivesTheSameBytes) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "a";
  const std::string content("line\n\0tail", 10);
  write_file_atomic(path, content);
  write_file_atomic(path, content + "!");
  EXPECT_EQ(read_file(path), content + "!");
  EXPECT_EQ(sha256_file(path), sha256_hex(content + "!"));
  EXPECT_EQ(MappedFile(path).text(), content + "!");
}

TEST(File, MissingFolderPipeAndOversizeAreNamed) {
  const test::TemporaryFolder folder;
  EXPECT_NE(test::error_message([&] { read_file(folder.path() / "none"); }).find("none"),
            std::string::npos);
  EXPECT_NE(test::error_message([&] { read_file(folder.path()); }).find("folder"),
            std::string::npos);
  const auto pipe = folder.path() / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_NE(test::error_message([&] { read_file(pipe); }).find("regular"), std::string::npos);
  const auto large = folder.path() / "large";
  write_file_atomic(large, std::string(100, 'x'));
  EXPECT_NE(test::error_message([&] { read_file(large, 99); }).find("99"), std::string::npos);
}

// Renaming a file over a device would break the machine: `--html /dev/null` as root.
TEST(File, ADeviceIsWrittenToAndStaysADevice) {
  const test::TemporaryFolder folder;
  const auto link = folder.path() / "link";
  std::filesystem::create_symlink("/dev/full", link);
  EXPECT_NE(test::error_message([&] { write_file_atomic(link, "x"); }).find("link"),
            std::string::npos);
  EXPECT_TRUE(std::filesystem::is_symlink(link));
  write_file_atomic("/dev/null", "x");
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/null"));
}

TEST(File, GzipIsReadToTheEndOrRefused) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "a.gz";
  gzFile out = gzopen(path.c_str(), "wb");
  const std::string content(100000, 'q');
  ASSERT_EQ(gzwrite(out, content.data(), 100000), 100000);
  gzclose(out);
  EXPECT_EQ(read_file_gunzip(path), content);
  const std::string packed = read_file(path);
  for (std::size_t size = 2; size < packed.size(); size += 7) {
    write_file_atomic(path, packed.substr(0, size));
    EXPECT_THROW(read_file_gunzip(path), Error) << size;
  }
}

// Another process may cut a mapped file short; reading on is a fault of the machine, not an error.
TEST(FileDeathTest, AMappedFileThatIsCutShortEndsInALineThatNamesIt) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "weights";
  write_file_atomic(path, std::string(100'000, 'x'));
  EXPECT_EXIT(
      {
        const MappedFile file(path);
        std::filesystem::resize_file(path, 0);
        const volatile char c = file.text()[50'000];
        (void)c;
      },
      ::testing::ExitedWithCode(2), "weights: was cut short");
}

}  // namespace
}  // namespace assay
