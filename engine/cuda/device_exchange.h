// How the ranks of a model on GPUs exchange what they computed: partial sums of row-parallel
// products, and slices of the logits. Work is enqueued; nothing waits. Two implementations: ranks
// that share one GPU (virtual ranks: every slice, scale and sum of several GPUs on one), and NCCL.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "engine/cuda/runtime.h"
#include "engine/parallel/partition.h"

namespace assay::engine {

/// Used by one thread, which drives one or several of the ranks: those "here". All ranks make the
/// same calls in the same order. Throws: Error(kEnvironment) when the group is lost.
class DeviceExchange {
 public:
  virtual ~DeviceExchange() = default;
  /// sums[r] of each rank here: `parts` nodes of `count` floats. Afterwards the first node is the
  /// sum over all ranks' nodes: with kEighths as their tree.
  virtual void fold(CudaStream stream, std::span<float* const> sums, int parts,
                    std::int64_t count) = 0;
  /// slices[r] of each rank here: [rows, cols]. `out` [rows, width] has all ranks' side by side.
  virtual void join(CudaStream stream, std::span<float* const> slices, int rows, int cols,
                    float* out, int width) = 0;
  /// Throws when a rank was lost, so that enqueued work would never end.
  virtual void check() const {}
  /// The other threads' waiting calls end. From any thread.
  virtual void abort() noexcept {}
  /// "" where the bits are those of engine/parallel/tree_sum.h, else a part of the arithmetic's id.
  [[nodiscard]] virtual std::string arithmetic() const { return {}; }
};

/// All ranks are here.
std::unique_ptr<DeviceExchange> make_virtual_exchange();

/// One rank is here, on the thread's current device. With kEighths NCCL only moves bits, and the
/// sum is made here; with kRanks NCCL adds in an order of its own.
/// Throws: Error(kEnvironment) without the library. `vocab` bounds the width of a join.
std::unique_ptr<DeviceExchange> make_nccl_exchange(const std::string& unique_id, int ranks,
                                                   int rank, RowSums sums, std::int64_t vocab);
/// Device memory that the latter holds.
std::int64_t nccl_exchange_bytes(int ranks, std::int64_t vocab);

}  // namespace assay::engine
