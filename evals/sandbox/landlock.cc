#include "evals/sandbox/landlock.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

#include "evals/sandbox/wire.h"

namespace assay::evals {
namespace {

// Bits that the headers of an older distribution lack.
constexpr std::uint64_t kRefer = 1ULL << 13;     // version 2
constexpr std::uint64_t kTruncate = 1ULL << 14;  // version 3
constexpr std::uint64_t kIoctlDev = 1ULL << 15;  // version 5
constexpr std::uint64_t kScopes = 3;             // version 6: abstract sockets, signals

constexpr std::uint64_t kReadFile = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE;
constexpr std::uint64_t kRead = kReadFile | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr std::uint64_t kDevice = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE;
constexpr std::uint64_t kScratch =
    LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR |
    LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |
    LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SYM | kRefer | kTruncate;

struct Attributes {  // landlock_ruleset_attr as of version 6
  std::uint64_t files;
  std::uint64_t network;
  std::uint64_t scopes;
};

bool add_path(int ruleset, const std::string& path, std::uint64_t access) {
  const FileDescriptor file(open(path.c_str(), O_PATH | O_CLOEXEC));
  if (!file.valid()) return false;
  struct stat info {};
  if (fstat(file.get(), &info) != 0) return false;
  if (!S_ISDIR(info.st_mode)) access &= kReadFile | kDevice | kTruncate;
  landlock_path_beneath_attr rule{};
  rule.allowed_access = access;
  rule.parent_fd = file.get();
  return syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;
}

}  // namespace

int landlock_version() {
  const long version =
      syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  return version < 0 ? 0 : static_cast<int>(version);
}

bool restrict_with_landlock(const LandlockRules& rules) {
  const int version = landlock_version();
  std::uint64_t known = (1ULL << 13) - 1;
  if (version >= 2) known |= kRefer;
  if (version >= 3) known |= kTruncate;
  if (version >= 5) known |= kIoctlDev;
  const Attributes attributes = {known, version >= 4 ? 3ULL : 0, version >= 6 ? kScopes : 0};
  std::size_t size = sizeof attributes;
  if (version < 6) size = version >= 4 ? 16 : 8;
  const FileDescriptor ruleset(
      static_cast<int>(syscall(SYS_landlock_create_ruleset, &attributes, size, 0)));
  if (!ruleset.valid()) return false;
  for (const std::string& path : rules.read) {
    if (!add_path(ruleset.get(), path, kRead)) return false;
  }
  for (const std::string& path : rules.devices) {
    if (!add_path(ruleset.get(), path, kDevice)) return false;
  }
  if (!add_path(ruleset.get(), rules.scratch, kScratch & known)) return false;
  return syscall(SYS_landlock_restrict_self, ruleset.get(), 0) == 0;
}

}  // namespace assay::evals
