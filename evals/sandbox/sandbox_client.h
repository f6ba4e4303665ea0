// The sandbox for model-written programs: how to start it and how strong it is.
// Mechanism and threat model: docs/sandbox.md. Linux only.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "evals/sandbox.h"
#include "evals/sandbox/level.h"

namespace assay::evals {

struct SandboxOptions {
  SandboxLevel level = SandboxLevel::kFull;
  int parallel = 0;         // programs at once, each of two processes; 0: the number of cores
  std::string interpreter;  // path of a CPython 3; "": python3 of the system folders
};

/// What the probe found. `problem` is empty exactly when every check of the wanted level holds.
struct SandboxStrength {
  struct Check {
    std::string name;  // "no network"
    bool holds = false;
    std::string detail;
  };
  std::string summary;      // "full: user, mount, ... namespaces; filter; limits", for provenance
  std::string interpreter;  // version and path
  std::vector<Check> checks;
  std::string problem;  // what is missing
  std::string advice;   // how to get it; may be "" where `problem` says that
};

/// Forks the process that starts sandboxes. Call first thing in main, before any thread, GPU
/// context, database connection or secret exists: the children inherit its memory. Costs less
/// than a millisecond; a second call does nothing.
/// `argv` is blanked in the spawner, as its children could read it.
/// Throws: Error(kEnvironment) when no process can be started.
void start_sandbox_spawner(int argc, char** argv);

/// A sandbox whose strength was measured just now.
/// REQUIRES: start_sandbox_spawner was called. Throws: Error(kEnvironment) that says what is
/// missing and how to get it when the level cannot be had.
std::unique_ptr<Sandbox> make_sandbox(const SandboxOptions& options);

/// The same measurement without a refusal, for `assay doctor`. Never throws for lack of strength.
SandboxStrength measure_sandbox(const SandboxOptions& options);

}  // namespace assay::evals
