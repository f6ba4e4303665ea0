// Real data sets, models and reference vectors for tests: a folder beside the project, or the one
// that ASSAY_SHARED names. Tests that need it skip when it is missing.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/json.h"

namespace assay::test {

/// Path of a file or folder in the shared data; empty when it is not there.
std::filesystem::path shared(const std::string& relative);

/// The lines of a JSONL file (plain or .gz), parsed.
std::vector<Json> read_jsonl(const std::filesystem::path& path);

/// A fresh folder under the system's temporary folder, removed at destruction.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  TemporaryFolder(TemporaryFolder&&) = delete;
  TemporaryFolder& operator=(TemporaryFolder&&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// The message of the assay::Error that `call` throws, or "" when it throws none.
std::string error_message(const std::function<void()>& call);

}  // namespace assay::test

/// Skips the running test unless the shared file or folder exists; `var` is its path.
#define ASSAY_SHARED_OR_SKIP(var, relative)                          \
  const std::filesystem::path var = ::assay::test::shared(relative); \
  if (var.empty()) GTEST_SKIP() << "shared data is missing: " << (relative)
