#include "evals/sandbox/scratch.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>  // NOLINT(modernize-deprecated-headers): mkdtemp
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "evals/sandbox/wire.h"

namespace assay::evals {
namespace {

constexpr mode_t kOwnerAll = 0700;

/// Opens a folder below `at` after giving the owner its permissions back. No link is followed.
FileDescriptor open_folder(int at, const std::string& name) {
  fchmodat(at, name.c_str(), kOwnerAll, 0);
  return FileDescriptor(openat(at, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

std::vector<std::string> names_in(int folder) {
  std::vector<std::string> names;
  DIR* const stream = fdopendir(dup(folder));
  if (stream == nullptr) return names;
  rewinddir(stream);
  // NOLINTNEXTLINE(concurrency-mt-unsafe): a stream of its own
  while (const dirent* entry = readdir(stream)) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  closedir(stream);
  return names;
}

bool is_folder(int at, const std::string& name) {
  struct stat info {};
  return fstatat(at, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(info.st_mode);
}

/// Empties one folder of the top: what is no folder goes, folders move up to the top under a new
/// name. So no depth needs a longer path or more descriptors.
void flatten(int top, const std::string& name, unsigned long& counter) {
  const FileDescriptor folder = open_folder(top, name);
  if (!folder.valid()) return;
  for (const std::string& child : names_in(folder.get())) {
    if (!is_folder(folder.get(), child)) {
      unlinkat(folder.get(), child.c_str(), 0);
      continue;
    }
    fchmodat(folder.get(), child.c_str(), kOwnerAll, 0);
    std::string moved;
    int result = -1;
    do {  // a program may have taken the name
      moved = ".moved-" + std::to_string(counter++);
      result = renameat(folder.get(), child.c_str(), top, moved.c_str());
    } while (result != 0 && (errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR));
  }
}

}  // namespace

std::string make_scratch_folder() {
  std::string pattern = "/tmp/assay-sandbox-XXXXXX";
  if (mkdtemp(pattern.data()) == nullptr) throw_environment("sandbox: no scratch folder in /tmp");
  return pattern;
}

bool remove_scratch_folder(const std::string& path) {
  const FileDescriptor top = open_folder(AT_FDCWD, path);
  if (!top.valid()) return false;
  unsigned long counter = 0;
  std::size_t left = 0;
  for (std::vector<std::string> names = names_in(top.get()); !names.empty();) {
    for (const std::string& name : names) {
      if (is_folder(top.get(), name)) flatten(top.get(), name, counter);
      unlinkat(top.get(), name.c_str(), is_folder(top.get(), name) ? AT_REMOVEDIR : 0);
    }
    std::vector<std::string> now = names_in(top.get());
    if (now == names && left++ > 0) return false;  // no progress twice
    names = std::move(now);
  }
  return rmdir(path.c_str()) == 0;
}

}  // namespace assay::evals
