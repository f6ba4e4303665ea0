#include "evals/sandbox/root.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

#include "evals/sandbox/wire.h"

namespace assay::evals {
namespace {

// The new root is assembled here: a folder that exists everywhere and holds nothing that is
// mounted into it.
const std::string kBase = "/proc";

// mount_setattr(2); older C libraries lack it, and newer ones clash with the kernel's header.
struct MountAttributes {
  std::uint64_t set;
  std::uint64_t clear;
  std::uint64_t propagation;
  std::uint64_t user_namespace;
};
constexpr std::uint64_t kReadOnly = 1;
constexpr std::uint64_t kNoSetuid = 2;
constexpr std::uint64_t kNoDevices = 4;
constexpr std::uint64_t kNoExecute = 8;
#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif

constexpr unsigned long kQuiet = MS_NOSUID | MS_NODEV | MS_NOEXEC;

std::string failed(const std::string& step) {
  return step + ": " + std::strerror(errno);  // NOLINT(concurrency-mt-unsafe): one thread
}

bool make_folders(const std::string& path) {
  for (std::size_t at = path.find('/', 1); at != std::string::npos; at = path.find('/', at + 1)) {
    if (mkdir((kBase + path.substr(0, at)).c_str(), 0755) != 0 && errno != EEXIST) return false;
  }
  return mkdir((kBase + path).c_str(), 0755) == 0 || errno == EEXIST;
}

bool bind_folder(const std::string& path) {
  return make_folders(path) &&
         mount(path.c_str(), (kBase + path).c_str(), nullptr, MS_BIND | MS_REC, nullptr) == 0;
}

bool bind_file(const std::string& path) {
  if (!make_folders(path.substr(0, path.rfind('/')))) return false;
  const std::string target = kBase + path;
  const FileDescriptor file(open(target.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
  return file.valid() && mount(path.c_str(), target.c_str(), nullptr, MS_BIND, nullptr) == 0;
}

bool make_link(const std::string& path, const std::string& target) {
  const std::string folder = path.substr(0, path.rfind('/'));
  if (!folder.empty() && !make_folders(folder)) return false;
  return symlink(target.c_str(), (kBase + path).c_str()) == 0 || errno == EEXIST;
}

/// Makes a mount, and with `flags` AT_RECURSIVE those below it, stricter.
bool restrict_mount(unsigned flags, std::uint64_t attributes) {
  const MountAttributes attr = {attributes, 0, 0, 0};
  return syscall(SYS_mount_setattr, -1, kBase.c_str(), flags, &attr, sizeof attr) == 0;
}

std::string fill(const Interpreter& interpreter) {
  // Links first: a folder of the same name is then found through them.
  for (const auto& [path, target] : interpreter.links) {
    if (!make_link(path, target)) return failed("link " + path);
  }
  for (const std::string& path : interpreter.folders) {
    if (!bind_folder(path)) return failed("bind " + path);
  }
  for (const std::string& path : interpreter.files) {
    if (!bind_file(path)) return failed("bind " + path);
  }
  for (const char* name : {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"}) {
    if (!bind_file(name)) return failed(std::string("bind ") + name);
  }
  if (!make_link("/dev/fd", "/proc/self/fd") || !make_folders(kScratchInside) ||
      !make_folders("/proc")) {
    return failed("new root");
  }
  return "";
}

/// /proc with nothing but the processes that may be looked into. Where a container forbids it (its
/// own is partly covered), the folder stays empty, which is stricter.
std::string mount_proc() {
  const std::string target = kBase + "/proc";
  for (const char* options : {"hidepid=ptraceable,subset=pid", "hidepid=2"}) {
    if (mount("proc", target.c_str(), "proc", kQuiet | MS_RDONLY, options) == 0) return "";
    if (errno == EPERM) return "";
  }
  return failed("mount /proc");
}

}  // namespace

std::string enter_new_root(const Interpreter& interpreter) {
  if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return failed("private /");
  if (mount("root", kBase.c_str(), "tmpfs", MS_NOSUID | MS_NODEV,
            "mode=0755,size=1m,nr_inodes=8192") != 0) {
    return failed("mount the new root");
  }
  if (const std::string problem = fill(interpreter); !problem.empty()) return problem;
  if (!restrict_mount(AT_RECURSIVE, kReadOnly | kNoSetuid) ||
      !restrict_mount(0, kNoDevices | kNoExecute)) {
    return failed("read-only root");
  }
  if (mount("scratch", (kBase + kScratchInside).c_str(), "tmpfs", kQuiet,
            "mode=0700,size=16m,nr_inodes=1024") != 0) {
    return failed("mount scratch");
  }
  if (const std::string problem = mount_proc(); !problem.empty()) return problem;
  // The old root is put on top of the new one and taken off again.
  if (chdir(kBase.c_str()) != 0 || syscall(SYS_pivot_root, ".", ".") != 0 ||
      umount2(".", MNT_DETACH) != 0 || chdir(kScratchInside) != 0) {
    return failed("enter the new root");
  }
  return "";
}

}  // namespace assay::evals
