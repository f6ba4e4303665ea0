// What happens inside a new sandbox process, from its first instruction to the interpreter's.
#pragma once

#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

#include "evals/sandbox/interpreter.h"
#include "evals/sandbox/level.h"

namespace assay::evals {

// Limits of one sample's process, hard, set before the completion is compiled.
constexpr unsigned long kMemoryBytes = 1UL << 30;       // address space
constexpr unsigned long kJudgeMemoryBytes = 2UL << 30;  // holds what the program sends as well
constexpr unsigned long kFileBytes = 8UL << 20;
constexpr unsigned long kDescriptors = 64;
constexpr unsigned long kThreads = 32;
constexpr std::size_t kFirstFreeDescriptor = 8;

struct ConfinePlan {
  SandboxLevel level = SandboxLevel::kFull;
  const Interpreter* interpreter = nullptr;
  std::string script;   // Python, for -c
  std::string scratch;  // reduced and unsafe: a fresh folder outside
  unsigned long memory_bytes = kMemoryBytes;
  unsigned long cpu_seconds = 4;
  std::vector<std::pair<int, int>> descriptors;  // (ours, number inside), 0 to 6
  int report = -1;  // where the supervisor writes; never seen by the interpreter
  uid_t uid = 0;    // of the caller, outside
  gid_t gid = 0;
};

/// Runs in a process fresh from clone: confines it, starts the interpreter as its child, waits for
/// that, and reports "S <wait status> <user s> <system s>" or "E <what failed>". Never returns.
/// In the full sandbox the caller is process 1 of its PID namespace.
[[noreturn]] void supervise(const ConfinePlan& plan);

}  // namespace assay::evals
