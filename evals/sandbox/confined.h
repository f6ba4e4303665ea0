// One confined process as the spawner sees it: started, its output and report read, stopped.
#pragma once

#include <poll.h>
#include <sys/types.h>

#include <string>
#include <vector>

#include "evals/sandbox/confine.h"
#include "evals/sandbox/wire.h"

namespace assay::evals {

/// Owned by the spawner's one thread.
class Confined {
 public:
  /// Starts it. `plan.descriptors` must not name 0, 1 or 2: input is empty, output comes here.
  /// Throws: Error(kEnvironment) when the kernel refuses (namespaces not available).
  explicit Confined(ConfinePlan plan);
  ~Confined();  // kills and waits
  Confined(const Confined&) = delete;
  Confined& operator=(const Confined&) = delete;
  Confined(Confined&&) = delete;
  Confined& operator=(Confined&&) = delete;

  void add_polls(std::vector<pollfd>& polls) const;
  /// Reads what there is and notices the end; call after every poll.
  void advance();
  /// Asks the supervisor to end it; `force` kills the supervisor and with it the namespace.
  void stop(bool force);

  /// True when every process of it is gone.
  [[nodiscard]] bool gone() const { return gone_; }
  [[nodiscard]] bool reported() const { return !report_.empty() && report_.back() == '\n'; }
  /// Why it could not be set up; "" when it was.
  [[nodiscard]] std::string setup_problem() const;
  /// As from waitpid; -1 when the supervisor did not say.
  [[nodiscard]] int wait_status() const;
  [[nodiscard]] double cpu_seconds() const;
  /// The first 64 KiB that it printed; the rest was read and dropped.
  [[nodiscard]] const std::string& output() const { return output_; }

 private:
  void reap(bool block);

  ConfinePlan plan_;
  pid_t pid_ = -1;
  FileDescriptor pidfd_;
  FileDescriptor output_fd_;
  FileDescriptor report_fd_;
  std::string output_;
  std::string report_;
  bool gone_ = false;
};

/// A pipe, both ends close-on-exec. Throws: Error(kEnvironment).
struct Pipe {
  FileDescriptor reader;
  FileDescriptor writer;
};
Pipe make_pipe();
void set_nonblocking(int fd);

}  // namespace assay::evals
