// How the ranks of a tensor-parallel group exchange activations. Every sum is a fixed binary tree
// over ranks, ((0+1)+(2+3))+..., so that every rank gets the same bits and, where ranks hold whole
// subtrees of a sum (engine/parallel/partition.h), the number of ranks does not change them.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "engine/ops/memory.h"

namespace assay::engine {

/// One rank's end. All ranks make the same calls in the same order; each blocks until its result is
/// there. Used by one thread. Throws: Error(kEnvironment) when another rank failed.
class Communicator {
 public:
  virtual ~Communicator() = default;
  [[nodiscard]] virtual int rank() const = 0;
  [[nodiscard]] virtual int size() const = 0;
  /// data[i] becomes the tree sum over ranks; `count` floats, in place.
  virtual void all_reduce_sum(float* data, std::int64_t count) = 0;
  /// `count` floats of each rank, in rank order: all [size, count].
  virtual void all_gather(const float* part, std::int64_t count, float* all) = 0;
  /// The same on rank 0 alone; elsewhere `all` is not touched.
  virtual void gather(const float* part, std::int64_t count, float* all) = 0;
  virtual void barrier() = 0;
  /// The other ranks' waiting and later calls throw.
  virtual void abort() = 0;
};

/// The only rank of a group of one.
class SelfCommunicator : public Communicator {
 public:
  [[nodiscard]] int rank() const override { return 0; }
  [[nodiscard]] int size() const override { return 1; }
  void all_reduce_sum(float* /*data*/, std::int64_t /*count*/) override {}
  void all_gather(const float* part, std::int64_t count, float* all) override;
  void gather(const float* part, std::int64_t count, float* all) override {
    all_gather(part, count, all);
  }
  void barrier() override {}
  void abort() override {}
};

/// What ranks that are threads of one process share. With `outer`, which connects as many processes
/// with equally many ranks each, they are a part of a larger group: ranks of one process are
/// neighbours in the tree.
class ThreadGroup {
 public:
  /// `size`: ranks of this process. `floats`: the longest all_reduce_sum. `outer` outlives this.
  ThreadGroup(int size, std::int64_t floats, Communicator* outer = nullptr);

 private:
  friend class ThreadCommunicator;
  void wait();

  [[nodiscard]] std::int64_t first_rank() const;
  [[nodiscard]] std::int64_t processes() const { return outer_ == nullptr ? 1 : outer_->size(); }

  int size_;
  Communicator* outer_;
  std::vector<const float*> parts_;  // of each rank, posted before the first barrier of a call
  LargeBuffer sums_;
  std::vector<float> gathered_;  // of the ranks here, then of all, on their way through `outer_`
  alignas(64) std::atomic<std::uint32_t> arrived_{0};
  alignas(64) std::atomic<std::uint32_t> epoch_{0};
  std::atomic<bool> aborted_{false};
};

class ThreadCommunicator : public Communicator {
 public:
  /// `local`: rank among those of this process.
  ThreadCommunicator(ThreadGroup& group, int local) : group_(group), local_(local) {}
  [[nodiscard]] int rank() const override;
  [[nodiscard]] int size() const override;
  void all_reduce_sum(float* data, std::int64_t count) override;
  void all_gather(const float* part, std::int64_t count, float* all) override;
  void gather(const float* part, std::int64_t count, float* all) override;
  void barrier() override;
  /// Of this process: others learn of it from whoever ends the group of processes.
  void abort() override;

 private:
  void gather_here(const float* part, std::int64_t count, float* all);

  ThreadGroup& group_;
  int local_;
};

}  // namespace assay::engine
