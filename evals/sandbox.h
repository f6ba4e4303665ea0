// The interface through which a benchmark runs model-written code. The implementation lies in
// evals/sandbox/; scoring code only ever sees this header.
#pragma once

#include <cstdint>
#include <string>

namespace assay::evals {

/// One HumanEval-style program: the function under test and the tests that judge it.
struct SandboxProgram {
  std::string source;     // prompt + completion: defines `entry_point`
  std::string reference;  // trusted helpers the tests may use (the prompt with its own
                          // definitions); may be ""
  std::string test;       // trusted: defines check(candidate)
  std::string entry_point;
  double wall_seconds = 3.0;  // of the completion and its tests, as in the original benchmark
};

enum class SandboxOutcome {
  kPassed,
  kFailed,       // an exception; `detail` has type and text
  kWrongAnswer,  // an assertion of the tests did not hold
  kTimedOut,
  kOutOfMemory,
  kKilled,       // by a signal; `detail` names it
  kRefusedCall,  // ended by the system-call filter
  kFault,        // the sandbox itself failed: not the program's fault, could not be evaluated
};

struct SandboxResult {
  SandboxOutcome outcome = SandboxOutcome::kFault;
  std::string detail;  // at most 2 KiB, valid UTF-8, control characters escaped
  double cpu_seconds = 0;
  double wall_seconds = 0;
  int runs = 1;  // more than 1: repeated after a fault, or alone after a time-out under load
};

/// Thread-safe; runs as many programs at once as it was made for and queues the rest.
class Sandbox {
 public:
  virtual ~Sandbox() = default;
  virtual SandboxResult run(const SandboxProgram& program) = 0;
  /// Measured strength for the run's provenance: "full", "reduced", "none (--unsafe-exec)" ...
  [[nodiscard]] virtual std::string strength() const = 0;
};

}  // namespace assay::evals
