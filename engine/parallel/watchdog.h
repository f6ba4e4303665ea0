// Notices a process that has died, hangs as a whole or cannot be reached, also while nobody waits
// for it: each pair has a second connection over which both say once a second that they live.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace assay::engine {

/// One process to watch. The watchdog owns `pulse`; `data` is cut, not closed, when it is lost.
struct Watched {
  std::string name;  // as it stands in the message
  int pulse = -1;    // descriptors of connected sockets
  int data = -1;
};

struct WatchdogOptions {
  std::chrono::milliseconds interval{1000};
  std::chrono::milliseconds silence{15'000};  // after which a process counts as lost
  /// After a loss this process ends with exit code 6 when its own work has not stopped by then.
  std::chrono::milliseconds grace{60'000};
};

class Watchdog {
 public:
  Watchdog(std::vector<Watched> watched, const WatchdogOptions& options);
  /// Closes the connections: the others notice. Until watching has stopped, `data` of all must be
  /// open.
  ~Watchdog();
  /// Stops watching and beating, and keeps the connections.
  void stop();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;
  Watchdog(Watchdog&&) = delete;
  Watchdog& operator=(Watchdog&&) = delete;

  /// The first loss in one line; any thread.
  [[nodiscard]] std::optional<std::string> loss() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace assay::engine
