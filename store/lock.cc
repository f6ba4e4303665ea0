#include "store/lock.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/error.h"

namespace assay::store {

namespace {

/// Open-file-description locks: they belong to the descriptor, not to the process, so that closing
/// an unrelated descriptor does not drop them, and two writers in one process exclude each other.
bool set_lock(int descriptor, short type, off_t start, off_t length) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = start;
  lock.l_len = length;
  return fcntl(descriptor, F_OFD_SETLK, &lock) == 0;
}

/// Whether the path still names the open file: another process may have removed it meanwhile.
bool still_there(int descriptor, const std::filesystem::path& path) {
  struct stat opened {};
  struct stat named {};
  return fstat(descriptor, &opened) == 0 && stat(path.c_str(), &named) == 0 &&
         opened.st_ino == named.st_ino && opened.st_dev == named.st_dev;
}

}  // namespace

std::optional<RunLock> RunLock::try_lock(const std::filesystem::path& store, std::int64_t run_row) {
  const std::filesystem::path path = store.string() + "-lock";
  while (true) {
    const int descriptor = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (descriptor < 0) {
      throw_environment("{}: cannot make the lock file: {}", path.string(), std::strerror(errno));
    }
    RunLock lock(descriptor, path);
    if (!set_lock(descriptor, F_WRLCK, run_row, 1)) {
      if (errno == EAGAIN || errno == EACCES) return std::nullopt;
      throw_environment("{}: cannot lock: {}", path.string(), std::strerror(errno));
    }
    if (still_there(descriptor, path)) return lock;
  }
}

RunLock::RunLock(int descriptor, std::filesystem::path path)
    : descriptor_(descriptor), path_(std::move(path)) {}

RunLock::RunLock(RunLock&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), path_(std::move(other.path_)) {}

RunLock& RunLock::operator=(RunLock&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(path_, other.path_);
  return *this;
}

RunLock::~RunLock() {
  if (descriptor_ < 0) return;
  // The last one out removes the file; who holds the whole range knows that nobody else is in.
  set_lock(descriptor_, F_UNLCK, 0, 0);
  if (set_lock(descriptor_, F_WRLCK, 0, 0) && still_there(descriptor_, path_)) {
    unlink(path_.c_str());
  }
  close(descriptor_);
}

}  // namespace assay::store
