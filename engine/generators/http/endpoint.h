// One server as the client sees it: how much it gets, whether it is up, its idle connections.
// Private to the client's thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/generators/http/connection.h"
#include "engine/generators/http/fault.h"
#include "engine/generators/http/retry.h"

namespace assay::engine {

class Endpoint {
 public:
  /// `most`: requests at once. `supervised`: it gets less when it is busy, and is taken out
  /// when it fails again and again.
  Endpoint(const Network& network, ServerAddress address, std::int64_t most, bool supervised);

  [[nodiscard]] const ServerAddress& address() const { return address_; }
  /// Whether it may get a request now.
  [[nodiscard]] bool has_room(std::int64_t now_ns) const;
  /// From 0 (idle) to 1.
  [[nodiscard]] double load() const;
  [[nodiscard]] bool up() const { return up_; }
  /// It refused everything that it was asked; it is not asked again.
  [[nodiscard]] bool refused() const { return fatal_ >= kFatalFaults; }

  /// A kept connection or a new one, which is not open yet. Counts as a request under way.
  std::unique_ptr<ServerConnection> acquire(bool fresh);
  void begin() { ++active_; }
  void end(std::unique_ptr<ServerConnection> connection);

  void on_success();
  /// `sent_ns`: when the request went out, for a busy server; `pause` is what it asks for, or ours.
  void on_fault(const Fault& fault, std::int64_t sent_ns, std::int64_t now_ns,
                std::chrono::milliseconds pause);
  [[nodiscard]] const std::string& last_fault() const { return last_fault_; }

  /// Whether it is time to look whether it is up again; then the look counts as begun.
  bool wants_check(std::int64_t now_ns, std::int64_t interval_ns);
  void on_check(bool alive);

  void close_idle() { idle_.clear(); }

 private:
  static constexpr int kFaultsUntilDown = 3;
  static constexpr int kFatalFaults = 3;

  const Network& network_;
  ServerAddress address_;
  Concurrency concurrency_;
  bool supervised_;
  bool up_ = true;
  bool checking_ = false;
  int faults_ = 0;  // in a row, of the kind that says something about the server
  int fatal_ = 0;   // in a row
  std::int64_t active_ = 0;
  std::int64_t paused_until_ns_ = 0;
  std::int64_t next_check_ns_ = 0;
  std::string last_fault_;
  std::vector<std::unique_ptr<ServerConnection>> idle_;
};

}  // namespace assay::engine
