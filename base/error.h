// Errors that end a sample, a file or a command, with the exit code they lead to.
// What is expected in the domain (no answer found, a failed gate) is a value, not an error.
#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace assay {

/// Exit codes of the program, the same for every command.
enum class ExitCode : int {
  kOk = 0,
  kGateFailed = 1,
  kInput = 2,  // wrong usage or unusable input; nothing ran
  kInconclusive = 3,
  kIncomplete = 4,  // samples that could not be evaluated, beyond the allowed number
  kIncomparable = 5,
  kEnvironment = 6,  // out of memory, disk full, lost GPU, rank or server; finished work is stored
  kBug = 70,
  kInterrupted = 130,  // SIGINT; resumable
  kTerminated = 143,   // SIGTERM; resumable
};

enum class ErrorKind {
  kInput,         // exit code 2
  kIncomplete,    // exit code 4
  kIncomparable,  // exit code 5
  kEnvironment,   // exit code 6
  kInterrupted,   // exit code 130
  kTerminated,    // exit code 143
};

/// `what()` is one line that names the thing (file, line, tensor, key), the reason, and what to do.
class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}

  [[nodiscard]] ErrorKind kind() const { return kind_; }
  [[nodiscard]] ExitCode exit_code() const;

 private:
  ErrorKind kind_;
};

/// Throws Error(kInput) with a formatted message.
template <typename... Args>
[[noreturn]] void throw_input(fmt::format_string<Args...> format, Args&&... args) {
  throw Error(ErrorKind::kInput, fmt::format(format, std::forward<Args>(args)...));
}

/// Throws Error(kEnvironment) with a formatted message.
template <typename... Args>
[[noreturn]] void throw_environment(fmt::format_string<Args...> format, Args&&... args) {
  throw Error(ErrorKind::kEnvironment, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace assay
