// The options of every command that runs model-written programs: --sandbox, --unsafe-exec,
// --python.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "evals/sandbox/sandbox_client.h"

namespace assay::cli {

struct SandboxChoice {
  std::string level = "full";
  bool unsafe_exec = false;
  std::string python;

  /// For so many programs at once.
  [[nodiscard]] evals::SandboxOptions options(int parallel) const;
};

void add_sandbox_options(CLI::App& command, SandboxChoice& choice);

}  // namespace assay::cli
