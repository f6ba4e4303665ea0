// Bait on the host for hostile programs, and the look afterwards whether anything took it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace assay::evals {

/// Made before the spawner of sandboxes: that inherits the bait's environment variable and
/// descriptors, as from a careless caller.
class HostWatch {
 public:
  /// `sandbox_uid`: the user that sandboxes will be outside; the bait process becomes it.
  explicit HostWatch(uid_t sandbox_uid);
  ~HostWatch();
  HostWatch(const HostWatch&) = delete;
  HostWatch& operator=(const HostWatch&) = delete;
  HostWatch(HostWatch&&) = delete;
  HostWatch& operator=(HostWatch&&) = delete;

  /// Finds the spawner, and takes the host's present state as the right one. Call after a sandbox
  /// has run.
  void begin();
  /// What is no longer as it was at `begin`, a line each; empty when all holds. `what` is any text
  /// that came out of the sandbox: no secret may be in it.
  [[nodiscard]] std::vector<std::string> changes(const std::string& what) const;

  /// What hostile programs call it: SECRET, TCP, VICTIM ...
  [[nodiscard]] const std::map<std::string, std::string>& names() const { return names_; }
  /// Resident memory of the spawner.
  [[nodiscard]] std::size_t spawner_bytes() const;
  [[nodiscard]] pid_t spawner() const { return spawner_; }

 private:
  using State = std::map<std::string, std::string>;  // fact -> value

  void make_files();
  void make_sockets();
  void make_objects();
  void make_victim(uid_t uid);
  [[nodiscard]] State look() const;
  [[nodiscard]] std::size_t spawner_descriptors() const;
  void wait_for_spawner() const;

  std::filesystem::path folder_;
  std::string secret_;
  std::int64_t clock_;
  std::vector<int> sockets_;
  int shared_memory_ = -1;
  int queue_ = -1;
  pid_t victim_ = -1;
  pid_t spawner_ = -1;
  std::map<std::string, std::string> names_;
  State before_;
};

}  // namespace assay::evals
