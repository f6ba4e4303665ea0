// One sample in the sandbox: a process that runs the completion, one that judges it, and how their
// ends become an outcome.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "evals/sandbox.h"
#include "evals/sandbox/confined.h"

namespace assay::evals {

constexpr std::size_t kMaxSource = std::size_t{1} << 20;
constexpr std::size_t kMaxDetail = 2048;

/// Seconds of a clock that is never set back.
double now_seconds();

/// What a client sends and gets, as message bodies.
std::string pack_program(const SandboxProgram& program);
std::optional<SandboxProgram> unpack_program(std::string_view body);
std::string pack_result(const SandboxResult& result);
std::optional<SandboxResult> unpack_result(std::string_view body);

/// A run in progress. Owned by the spawner's one thread.
class Run {
 public:
  /// Starts both processes. Throws: Error(kEnvironment) when they cannot be started.
  Run(const SandboxProgram& program, const Interpreter& interpreter, SandboxLevel level);

  void add_polls(std::vector<pollfd>& polls) const;
  /// Reads, notices ends and time-outs, stops what is to be stopped.
  void advance();
  /// Nothing of it is left and `result` stands.
  [[nodiscard]] bool done() const { return program_->gone() && judge_->gone(); }
  /// When advance has to be called without any event.
  [[nodiscard]] double deadline() const;
  [[nodiscard]] SandboxResult result() const;

 private:
  void stop();
  [[nodiscard]] bool awaits_last_words(double now) const;
  [[nodiscard]] SandboxResult outcome() const;
  [[nodiscard]] SandboxResult program_ended() const;

  double started_;
  double limit_;
  double stopped_ = 0;  // when the end was asked for; 0: not yet
  double finished_ = 0;
  bool timed_out_ = false;
  bool ended_itself_ = false;  // the program's end was reported before it was asked for
  std::string verdict_;        // bytes from the judge
  FileDescriptor verdict_fd_;
  std::unique_ptr<Confined> program_;
  std::unique_ptr<Confined> judge_;
};

}  // namespace assay::evals
