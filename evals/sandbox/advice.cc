#include "evals/sandbox/advice.h"

#include <fmt/format.h>
#include <sys/prctl.h>

#include <fstream>
#include <vector>

#include "base/text.h"
#include "evals/sandbox/landlock.h"

namespace assay::evals {
namespace {

std::optional<std::int64_t> setting(const char* path) {
  std::ifstream file(path);  // files of /proc have no size
  std::int64_t value = 0;
  return file >> value ? std::optional(value) : std::nullopt;
}

/// One line for each setting that stands in the way.
std::vector<std::string> obstacles(const NamespaceSettings& settings) {
  std::vector<std::string> out;
  if (settings.max_user_namespaces == 0) {
    out.emplace_back(
        "user.max_user_namespaces is 0: \"sysctl user.max_user_namespaces=10000\" as root");
  }
  if (settings.unprivileged_clone == 0) {
    out.emplace_back(
        "kernel.unprivileged_userns_clone is 0: \"sysctl kernel.unprivileged_userns_clone=1\" as "
        "root");
  }
  if (settings.apparmor_restricts == 1) {
    out.emplace_back(
        "AppArmor lets only named programs have user namespaces (Ubuntu 23.10 and newer): install "
        "scripts/apparmor/assay as docs/sandbox.md says");
  }
  if (settings.filtered) {
    out.emplace_back(
        "a system-call filter is on this process, as containers have it: start the container with "
        "one that permits user namespaces (docker: --security-opt seccomp=unconfined)");
  }
  if (out.empty()) {
    out.emplace_back(
        "the kernel's settings do not say why: docs/sandbox.md lists what a kernel needs");
  }
  return out;
}

}  // namespace

NamespaceSettings read_namespace_settings() {
  return {.max_user_namespaces = setting("/proc/sys/user/max_user_namespaces"),
          .unprivileged_clone = setting("/proc/sys/kernel/unprivileged_userns_clone"),
          .apparmor_restricts = setting("/proc/sys/kernel/apparmor_restrict_unprivileged_userns"),
          .filtered = prctl(PR_GET_SECCOMP) != 0,
          .landlock = landlock_version()};
}

std::string sandbox_advice(const NamespaceSettings& settings) {
  const std::string weaker = settings.landlock > 0
                                 ? ", or take the weaker sandbox that works without them, "
                                   "--sandbox reduced"
                                 : "";
  return fmt::format(
      "model-written programs run only in a sandbox, which needs user namespaces, and this machine "
      "denies them; {}{}, or leave out the tasks that run code, or accept the risk with "
      "--unsafe-exec",
      join(obstacles(settings), "; "), weaker);
}

}  // namespace assay::evals
