// What can go wrong while a server is asked.
#pragma once

#include <chrono>
#include <exception>
#include <optional>
#include <string>
#include <utility>

namespace assay::engine {

enum class FaultKind {
  kConnection,  // no connection, or cut: says something about the server, not the request
  kTimeout,     // a wait ended
  kMalformed,   // an answer that is none
  kBusy,        // 429, and 503 that names a time: everything for this server slows down
  kServer,      // 5xx, 408, 409, 425
  kRefused,     // this request is refused, and would be again
  kFatal,       // every request would be refused: key, model, quota, redirect, certificate
};

/// Thrown inside the HTTP client only; becomes a completion with an error, or an `Error`.
class Fault : public std::exception {
 public:
  Fault(FaultKind what_kind, std::string why) : kind(what_kind), text(std::move(why)) {}
  [[nodiscard]] const char* what() const noexcept override { return text.c_str(); }

  FaultKind kind;
  std::string text;                                      // one line, without the address
  int status = 0;                                        // of the answer, where there was one
  std::optional<std::chrono::milliseconds> retry_after;  // as the server told it
  bool stale = false;  // on a kept connection, before any byte of an answer: nothing was tried

  [[nodiscard]] bool may_pass() const {
    return kind != FaultKind::kRefused && kind != FaultKind::kFatal;
  }
};

}  // namespace assay::engine
