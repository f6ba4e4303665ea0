// Small sums over GPUs of one process by kernels that read each other's memory
// (engine/ops/peer_sum.h); everything else goes another way.
#pragma once

#include <array>
#include <condition_variable>
#include <memory>
#include <mutex>

#include "engine/cuda/device_exchange.h"
#include "engine/parallel/tree_sum.h"

namespace assay::engine {

/// Where the ranks of a process tell each other their devices and memory. Any thread.
class PeerGroup {
 public:
  explicit PeerGroup(int ranks) : ranks_(ranks) {}
  struct Place {
    int device = 0;
    void* memory = nullptr;  // null: this rank cannot take part
  };
  /// Waits until every rank has said its place, or gave up.
  /// Throws: Error(kEnvironment) when one gave up.
  std::array<Place, kMostRanks> share(int rank, const Place& own);
  /// The others' `share` throws.
  void give_up();

 private:
  int ranks_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable wake_;
  std::array<Place, kMostRanks> places_{};
  int came_ = 0;
  bool lost_ = false;
};

/// Sums of up to 1 MiB by kernels over peers' memory, the rest by `large`. Where a GPU cannot read
/// another's memory, on any rank, `large` is returned as it is. All ranks call this at once, each
/// on its thread; `group` outlives the result, which ends on all ranks only when none computes.
std::unique_ptr<DeviceExchange> make_peer_exchange(std::unique_ptr<DeviceExchange> large,
                                                   PeerGroup& group, int device, int ranks,
                                                   int rank);

}  // namespace assay::engine
