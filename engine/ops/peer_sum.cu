#include "base/check.h"
#include "engine/cuda/launch.cuh"
#include "engine/ops/peer_sum.h"

namespace assay::engine {
namespace {

constexpr int kThreads = 256;
constexpr int kMostNodes = static_cast<int>(kMostRanks);

/// ((0+1)+(2+3))+... of `nodes` values.
__device__ __forceinline__ float fold(float (&node)[kMostNodes], int nodes) {
#pragma unroll
  for (int width = kMostNodes; width > 1; width /= 2) {
    if (nodes < width) continue;
#pragma unroll
    for (int n = 0; n < width / 2; ++n) node[n] = __fadd_rn(node[2 * n], node[2 * n + 1]);
  }
  return node[0];
}

/// Grid: a block for every 2048 columns, all resident. Block: 256 threads. A block publishes its
/// columns, raises its flag at every rank, waits for theirs, and reads. Static shared memory: none.
__global__ void __launch_bounds__(kThreads) peer_sum_kernel(const PeerSumArgs args) {
  const int thread = static_cast<int>(threadIdx.x);
  const int block = static_cast<int>(blockIdx.x);
  const PeerMemory& own = args.of[args.rank];
  const unsigned sum = own.counts[block] + 1;
  const std::int64_t buffer = static_cast<std::int64_t>(sum % 2) * kPeerFloats;
  const std::int64_t first = block * kPeerBlockFloats;
  const std::int64_t most = first + kPeerBlockFloats;
  const std::int64_t end = most < args.count ? most : args.count;
  for (std::int64_t i = first + thread; i < end; i += kThreads) {
    float node[kMostNodes];
#pragma unroll
    for (int p = 0; p < kMostNodes; ++p) {
      if (p < args.parts) node[p] = args.sums[p * args.count + i];
    }
    own.parts[buffer + i] = fold(node, args.parts);
  }
  __syncthreads();
  if (thread < args.ranks) {
    const std::int64_t flag = block * static_cast<std::int64_t>(kMostRanks);
    store_release_system(args.of[thread].flags + flag + args.rank, sum);
    // A rank that is ahead has published the next sum already, never the one after it.
    while (static_cast<int>(load_acquire_system(own.flags + flag + thread) - sum) < 0) {
    }
  }
  __syncthreads();
  for (std::int64_t i = first + thread; i < end; i += kThreads) {
    float node[kMostNodes];
#pragma unroll
    for (int r = 0; r < kMostNodes; ++r) {
      if (r < args.ranks) node[r] = load_from_peer(args.of[r].parts + buffer + i);
    }
    args.sums[i] = fold(node, args.ranks);
  }
  if (thread == 0) own.counts[block] = sum;
}

}  // namespace

PeerMemory peer_memory(void* data) {
  PeerMemory out;
  out.parts = static_cast<float*>(data);
  out.flags = reinterpret_cast<unsigned*>(out.parts + 2 * kPeerFloats);
  out.counts = out.flags + kPeerBlocks * static_cast<std::int64_t>(kMostRanks);
  return out;
}

void peer_sum_cuda(CudaStream stream, const PeerSumArgs& args) {
  const int nodes = args.ranks * args.parts;
  ASSAY_CHECK(nodes == 1 || nodes == 2 || nodes == 4 || nodes == 8, "nodes form a tree");
  ASSAY_CHECK(args.count <= kPeerFloats, "length of a sum over peers");
  if (args.count == 0) return;
  launch(stream,
         {.name = "peer_sum",
          .grid_x = static_cast<unsigned>((args.count + kPeerBlockFloats - 1) / kPeerBlockFloats),
          .threads = kThreads},
         peer_sum_kernel, args);
}

}  // namespace assay::engine
