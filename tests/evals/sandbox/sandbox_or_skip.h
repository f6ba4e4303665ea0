// Tests that run programs skip, with the reason, where the machine allows no sandbox. A sandbox
// that is weak, or does not start where the machine would allow it, is no reason: then they fail.
#pragma once

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "evals/sandbox/sandbox_client.h"

namespace assay::evals {

/// Found out without the sandbox: a child tries to have its own user and mount namespaces.
inline bool machine_allows_namespaces() {
  const pid_t child = fork();
  if (child == 0) {
    const bool made = unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET) == 0 &&
                      mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
    _exit(made ? 0 : 1);
  }
  int status = 1;
  waitpid(child, &status, 0);
  return status == 0;
}

/// Why there can be no sandbox here; "" where there can.
inline const std::string& sandbox_problem() {
  static const std::string kProblem =
      machine_allows_namespaces() ? "" : measure_sandbox({}).problem;
  return kProblem;
}

}  // namespace assay::evals

#define ASSAY_SANDBOX_OR_SKIP() \
  if (!::assay::evals::sandbox_problem().empty()) GTEST_SKIP() << ::assay::evals::sandbox_problem()
