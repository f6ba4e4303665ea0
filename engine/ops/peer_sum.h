// The sum over ranks on GPUs that can read each other's memory, in one kernel: each rank publishes
// its part and reads all others'. For small messages, where a library's start costs more than
// bytes. Source of the idea: "one-shot" all-reduce kernels of inference engines (published
// latencies: docs/distributed.md); the flags' protocol below is this project's own.
#pragma once

#include <cstdint>

#include "engine/cuda/runtime.h"
#include "engine/parallel/tree_sum.h"

namespace assay::engine {

constexpr int kPeerBlocks = 128;                 // of the largest grid: all are resident
constexpr std::int64_t kPeerBlockFloats = 2048;  // a block's columns, always the same ones
constexpr std::int64_t kPeerFloats = kPeerBlocks * kPeerBlockFloats;  // the longest sum, 1 MiB

/// Memory of one rank that all ranks read or write. Zero before the first sum.
/// A block counts its sums; ranks make the same calls, so the counts of a block agree. Counts
/// choose one of two buffers: who publishes sum n + 2 knows from the flags of n + 1 that all have
/// read n.
struct PeerMemory {
  float* parts = nullptr;      // [2, kPeerFloats]
  unsigned* flags = nullptr;   // [kPeerBlocks, kMostRanks], last sum that a rank has published
  unsigned* counts = nullptr;  // [kPeerBlocks], of this rank alone
};
constexpr std::int64_t kPeerMemoryBytes =
    2 * kPeerFloats * 4 + kPeerBlocks * static_cast<std::int64_t>(kMostRanks + 1) * 4;
/// Divides memory of that size, 16-byte aligned.
PeerMemory peer_memory(void* data);

struct PeerSumArgs {
  PeerMemory of[kMostRanks];  // of each rank
  float* sums = nullptr;      // [parts, count], this rank's nodes; the sum goes to the first
  int rank = 0;
  int ranks = 1;
  int parts = 1;           // REQUIRES: ranks * parts is 1, 2, 4 or 8
  std::int64_t count = 0;  // REQUIRES: <= kPeerFloats
};
/// Enqueues on `stream`; ends when all ranks have enqueued theirs. Same bits as tree_sum over the
/// nodes. Can be recorded in a graph.
void peer_sum_cuda(CudaStream stream, const PeerSumArgs& args);

}  // namespace assay::engine
