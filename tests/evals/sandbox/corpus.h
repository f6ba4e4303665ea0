// The hostile programs of tests/evals/sandbox/hostile; its README.md describes the files.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "evals/sandbox.h"

namespace assay::evals {

struct HostileCase {
  std::string name;                           // "s05_files/root_holds_the_interpreter_only"
  std::vector<std::string> outcomes;          // words of outcome_word; any of them
  std::vector<std::string> reduced_outcomes;  // at the reduced level, where it differs
  SandboxProgram program;                     // with @NAME@ still in it
  std::size_t pad = 0;                        // bytes of source to reach with a comment; 0: none
  std::size_t repeat = 1;                     // the completion so many times over
};

/// "passed", "failed", "wrong", "timed_out", "memory", "killed", "refused", "fault".
std::string outcome_word(SandboxOutcome outcome);

/// All cases, by file name and place. Throws: Error(kInput) on a malformed file.
std::vector<HostileCase> load_hostile_cases(const std::filesystem::path& folder);

/// The case's program with each @NAME@ replaced: `names`, and bytes that a text file cannot hold.
SandboxProgram filled(const HostileCase& hostile, const std::map<std::string, std::string>& names);

}  // namespace assay::evals
