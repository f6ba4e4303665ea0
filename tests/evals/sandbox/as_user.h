// `--as-user`: a test program that root started goes on as an ordinary user, so that both are
// tested wherever one is; and what else the programs of this folder begin with.
#pragma once

#include <fcntl.h>
#include <grp.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace assay::evals {

constexpr uid_t kSandboxUserOfRoot = 65529;  // evals/sandbox/spawner.cc
constexpr uid_t kOrdinaryUser = 65531;       // no distribution gives it to anybody
constexpr int kSkipped = 77;

inline bool wants_ordinary_user(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    if (std::string_view(argv[i]) == "--as-user") return true;
  }
  return false;
}

/// What the caller left open (a test runner's log, say) moves by itself: descriptors of our own
/// stand in for it, which the spawner inherits and must drop.
inline void own_descriptors() {
  const int own = open("/proc/self/exe", O_RDONLY);
  lseek(own, 7, SEEK_SET);
  for (int fd = 3; fd < 16; ++fd) {
    if (fd != own) dup2(own, fd);
  }
}

/// Gives up root for good. Ends the program as skipped when it is not root: then the ordinary run
/// is the same test.
inline void become_ordinary_user() {
  if (geteuid() != 0) {
    std::puts("not root: the ordinary run is as an ordinary user already");
    std::exit(kSkipped);
  }
  if (setgroups(0, nullptr) != 0 || setresgid(kOrdinaryUser, kOrdinaryUser, kOrdinaryUser) != 0 ||
      setresuid(kOrdinaryUser, kOrdinaryUser, kOrdinaryUser) != 0) {
    std::perror("cannot become an ordinary user");
    std::exit(1);
  }
  prctl(PR_SET_DUMPABLE, 1);  // as after an exec
}

}  // namespace assay::evals
