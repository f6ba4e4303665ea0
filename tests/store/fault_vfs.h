// A layer over SQLite's file layer whose calls fail when they are told to, and that knows what a
// power cut would leave: what was synced, and any part of what was not.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/random.h"

namespace assay::test {

enum class Fault {
  kNone,
  kOnce,      // one call fails
  kForever,   // this call and all later ones fail
  kPowerCut,  // as kForever; `lose_unsynced` then makes the files what the disk would hold
};

/// Counted are opens, writes, syncs, truncations and deletions of database and journals. While one
/// exists it is SQLite's default layer. One at a time; one thread.
class FaultVfs {
 public:
  /// Without `shared_memory` there is no WAL, as on some networks: a rollback journal it is.
  explicit FaultVfs(bool shared_memory);
  ~FaultVfs();
  FaultVfs(const FaultVfs&) = delete;
  FaultVfs& operator=(const FaultVfs&) = delete;
  FaultVfs(FaultVfs&&) = delete;
  FaultVfs& operator=(FaultVfs&&) = delete;

  /// Counts anew; call number `call` (from 1) has the fault. `write_error`: SQLite's code for a
  /// write that fails. Files that are known from before are forgotten.
  void arm(Fault fault, std::int64_t call, int write_error = SQLITE_FULL);
  void disarm() { fault_ = Fault::kNone; }
  [[nodiscard]] std::int64_t calls() const { return calls_; }
  [[nodiscard]] bool fired() const { return fired_; }
  /// REQUIRES: no connection is open.
  void lose_unsynced(SplitMix64& random);

  // For the functions that SQLite calls.
  struct Change {
    std::int64_t offset = 0;
    std::string bytes;
    bool truncates = false;  // to `offset`
  };
  struct Image {
    bool exists = false;  // its name is on the disk
    std::string synced;
    std::vector<Change> pending;
    bool deleted = false;  // without a sync of the folder
  };
  /// Counts the call; whether it is to fail.
  bool fails();
  [[nodiscard]] int write_error() const { return write_error_; }
  [[nodiscard]] sqlite3_vfs* real() const { return real_; }
  [[nodiscard]] bool shared_memory() const { return shared_memory_; }
  Image& image(const std::string& path) { return images_[path]; }
  [[nodiscard]] bool knows(const std::string& path) const { return images_.contains(path); }
  void created(const std::string& path);
  void forget(const std::string& path) { images_.erase(path); }
  /// SQLite's own layer syncs the folder with the first sync of a new journal: the names of all
  /// files are on the disk from then on, and deleted ones are gone.
  void sync_folder();

 private:
  sqlite3_vfs* real_;
  bool shared_memory_;
  sqlite3_vfs vfs_{};
  Fault fault_ = Fault::kNone;
  std::int64_t call_ = 0;
  std::int64_t calls_ = 0;
  bool fired_ = false;
  int write_error_ = SQLITE_FULL;
  std::map<std::string, Image> images_;
};

}  // namespace assay::test
