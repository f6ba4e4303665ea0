// The processes of one job, on one or several nodes, over TCP. Rank 0 listens; every other process
// is connected to it and to nobody else. What they exchange is small (activations of the CPU
// backend, steps, identities): GPUs have their own ways.
//
// Both sides prove that they know the job's token (HMAC over each other's random number); what
// follows is neither encrypted nor signed, so the network must be trusted.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "engine/parallel/communicator.h"
#include "engine/parallel/launch.h"
#include "engine/parallel/watchdog.h"

namespace assay::engine {

struct GroupOptions {
  std::string token;                          // "" only where rank 0 is on a loopback address
  std::string build;                          // must be the same on all
  std::chrono::milliseconds join{60'000};     // until all are there
  std::chrono::milliseconds answer{600'000};  // for one exchange, loading a model included
  WatchdogOptions watchdog;
};

/// Rank 0 has ended, and the job with it.
class GroupEnded : public Error {
 public:
  GroupEnded(int code, const std::string& why) : Error(ErrorKind::kEnvironment, why), code_(code) {}
  [[nodiscard]] int code() const { return code_; }

 private:
  int code_;
};

/// `ASSAY_TOKEN`, or the first line of the file that `ASSAY_TOKEN_FILE` names, and
/// `ASSAY_JOIN_SECONDS`, `ASSAY_SILENCE_SECONDS`, `ASSAY_ANSWER_SECONDS`.
/// Throws: Error(kInput) for a value that makes no sense or a file that cannot be read.
GroupOptions group_options(const Environment& environment, std::string build);

/// Used by one thread at a time. Every call but join() throws Error(kEnvironment) that names the
/// process that is lost, failed or late, and GroupEnded on other ranks once rank 0 has ended.
class ProcessGroup {
 public:
  /// Waits until all are there. Throws: Error(kEnvironment) naming the ranks that are missing, or
  /// why rank 0 cannot be reached; Error(kInput) for another token, build or number of processes.
  static std::unique_ptr<ProcessGroup> join(const Launch& launch, const GroupOptions& options);
  ~ProcessGroup();
  ProcessGroup(const ProcessGroup&) = delete;
  ProcessGroup& operator=(const ProcessGroup&) = delete;
  ProcessGroup(ProcessGroup&&) = delete;
  ProcessGroup& operator=(ProcessGroup&&) = delete;

  [[nodiscard]] int rank() const;
  [[nodiscard]] int size() const;
  [[nodiscard]] int local_rank() const;  // among the processes of this host
  [[nodiscard]] int local_size() const;
  /// Hosts of all ranks; on rank 0.
  [[nodiscard]] const std::vector<std::string>& hosts() const;

  /// Rank 0's text, on every rank.
  std::string broadcast(std::string_view text);
  /// Texts of all ranks, on rank 0; elsewhere nothing.
  std::vector<std::string> gather(std::string_view text);

  /// data[i] becomes the sum over ranks as a binary tree, on every rank.
  void all_reduce_sum(float* data, std::int64_t count);
  /// `count` floats of each rank in rank order, on rank 0 or, with `everywhere`, on every rank.
  void gather_floats(const float* part, std::int64_t count, float* all, bool everywhere);

  /// Rank 0: tells the others that the job has ended with this exit code, and waits for them for a
  /// moment. Does not throw.
  void finish(int code, std::string_view why);
  /// Others: tells rank 0 why this one cannot go on, and waits for its end for a moment. Does not
  /// throw.
  void report_failure(std::string_view why);

 private:
  struct Impl;
  explicit ProcessGroup(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Processes as the ranks of a communicator.
class ProcessCommunicator : public Communicator {
 public:
  explicit ProcessCommunicator(ProcessGroup& group) : group_(group) {}
  [[nodiscard]] int rank() const override { return group_.rank(); }
  [[nodiscard]] int size() const override { return group_.size(); }
  void all_reduce_sum(float* data, std::int64_t count) override {
    group_.all_reduce_sum(data, count);
  }
  void all_gather(const float* part, std::int64_t count, float* all) override {
    group_.gather_floats(part, count, all, true);
  }
  void gather(const float* part, std::int64_t count, float* all) override {
    group_.gather_floats(part, count, all, false);
  }
  void barrier() override;
  /// The failure reaches the others when this process ends or reports it.
  void abort() override {}

 private:
  ProcessGroup& group_;
};

}  // namespace assay::engine
