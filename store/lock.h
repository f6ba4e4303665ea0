// One writer a run: a byte-range lock in a file beside the store. It ends with its process, so
// there is no stale lock. Private to store/.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

namespace assay::store {

class RunLock {
 public:
  /// Nothing when another process (or another RunLock of this one) holds the run.
  /// Throws: Error(kEnvironment) when the lock file cannot be made.
  static std::optional<RunLock> try_lock(const std::filesystem::path& store, std::int64_t run_row);
  ~RunLock();
  RunLock(RunLock&& other) noexcept;
  RunLock& operator=(RunLock&& other) noexcept;
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;

 private:
  RunLock(int descriptor, std::filesystem::path path);
  int descriptor_ = -1;
  std::filesystem::path path_;
};

}  // namespace assay::store
