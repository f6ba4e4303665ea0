// Tests that run programs skip, with the reason, where the machine allows no sandbox.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "evals/sandbox/sandbox_client.h"

namespace assay::evals {

inline const std::string& sandbox_problem() {
  static const std::string kProblem = measure_sandbox({}).problem;
  return kProblem;
}

}  // namespace assay::evals

#define ASSAY_SANDBOX_OR_SKIP() \
  if (!::assay::evals::sandbox_problem().empty()) GTEST_SKIP() << ::assay::evals::sandbox_problem()
