// The product on Hopper's warpgroup instructions, for every number of tokens one arithmetic.
//
// Weights are always the 64-row operand and tokens the 8- to 128-column one, so few tokens waste
// nothing and a token's bits do not depend on the tile. E4M3 x E4M3 sums 128 products in four
// instructions from zero (whose sums carry 13 fraction bits), then adds them in FP32; BF16 x BF16
// does the same in eight, which gives the bits of gemm_mma.cu.
//
// One producer warp keeps a ring of blocks full with the tensor memory accelerator; warpgroups
// consume. Blocks of more than 64 tokens run in pairs (clusters of two): each reads its own weights
// and half of the tokens, which the accelerator gives to both. With up to 64 tokens the shards of a
// tile are the blocks of a cluster, which fold their sums through each other's shared memory: the
// consumer then reads one FP32 sum in place of eight. Sources of the idea: NVIDIA CUTLASS
// (warp-specialised pipelines, multicast), DeepSeek's DeepGEMM (promotion of partial sums);
// ENGINE_NOTES of this project.
#include "base/check.h"
#include "engine/cuda/gemm_store.cuh"
#include "engine/cuda/hopper.cuh"
#include "engine/cuda/launch.cuh"
#include "engine/ops/gemm_wgmma.h"

namespace assay::engine {
namespace {

constexpr int kRowBytes = 128;  // of a block of K: the width of the swizzle
constexpr int kGroupRows = 64;  // outputs of a warpgroup
constexpr int kGroupThreads = 128;
constexpr int kMostStages = 8;
constexpr int kBarrierBytes = 1024;  // in front of the ring, whose stages begin at multiples of it
/// Tiles of tokens that run together: a wave of 132 blocks is then about as high as wide, which
/// reads least. Speed alone depends on it.
constexpr int kStripTiles = 12;

/// One shape of the kernel. kGroups warpgroups of 64 outputs, kTokens tokens, kStages blocks in the
/// ring, kLeaves shards whose sums a block folds.
template <bool kE4m3, int kGroups, int kTokens, int kStages, int kLeaves>
struct Tile {
  static constexpr int kRows = kGroups * kGroupRows;
  /// Folding shards and wide tiles take more registers than a block's share: the producer becomes a
  /// whole warpgroup, which hands over what it does not need.
  static constexpr bool kMovesRegisters = kLeaves > 1 || kTokens > 128;
  static constexpr int kThreads = kGroups * kGroupThreads + (kMovesRegisters ? kGroupThreads : 32);
  static constexpr int kWeightBytes = kRows * kRowBytes;
  static constexpr int kStageBytes = kWeightBytes + kTokens * kRowBytes;
  static constexpr int kLevels = kLeaves == 8 ? 3 : kLeaves == 4 ? 2 : kLeaves == 2 ? 1 : 0;
  /// Of the subtrees of shards that wait for their right neighbour a thread's registers hold the
  /// lowest; the higher ones, which are touched seldom, wait in shared memory.
  static constexpr int kFarLevels = kLevels > 1 ? kLevels - 1 : 0;
  static constexpr int kRegisters = kTokens / 2;
  static constexpr int kFarFloats = kRegisters * kGroups * kGroupThreads;  // of one level
  static constexpr int kSharedBytes = kBarrierBytes + kStages * kStageBytes +
                                      kFarLevels * kFarFloats * static_cast<int>(sizeof(float));
  static constexpr int kBlockValues = kE4m3 ? kRowBytes : kRowBytes / 2;
  /// Blocks of the ring whose products are summed before they join the FP32 sum: 128 values.
  static constexpr int kBlocksASum = static_cast<int>(kBlock) / kBlockValues;
  static constexpr bool kMayPair = kTokens > 64;
  static_assert(kSharedBytes <= 227 << 10);
  static_assert(kStages <= kMostStages && kStageBytes % 1024 == 0);
};

struct Ring {
  std::uint64_t full[kMostStages];   // the block is there
  std::uint64_t empty[kMostStages];  // every warp that its copies reach has read it
};
static_assert(sizeof(Ring) <= kBarrierBytes);

/// What a block computes.
struct Place {
  int row;
  int token;
  int part;
};

/// Clusters along x are numbered by strips of kStripTiles tiles of tokens; inside a strip tokens
/// come first. A pair has two neighbouring tiles of outputs and one tile of tokens; any other
/// cluster has neighbouring shards of one tile.
template <typename T, int kTokens>
__device__ __forceinline__ Place place_of(const DeviceGemmArgs& args, int cluster) {
  const int index = static_cast<int>(blockIdx.x) / cluster;
  const int rank = static_cast<int>(blockIdx.x) % cluster;
  const int blocks_a_pair = T::kMayPair ? cluster : 1;
  const int token_tiles = (args.tokens + kTokens - 1) / kTokens;
  const int row_pairs =
      ((args.w.rows + T::kRows - 1) / T::kRows + blocks_a_pair - 1) / blocks_a_pair;
  const int strip = index / (kStripTiles * row_pairs);
  const int left = token_tiles - strip * kStripTiles;
  const int width = left < kStripTiles ? left : kStripTiles;
  const int inside = index - strip * kStripTiles * row_pairs;
  const int part = static_cast<int>(blockIdx.z);
  return {.row = (inside / width * blocks_a_pair + (T::kMayPair ? rank : 0)) * T::kRows,
          .token = (strip * kStripTiles + inside % width) * kTokens,
          .part = T::kMayPair ? part : part * cluster + rank};
}

/// Where a producer reads.
struct Source {
  const TensorMap& w;
  const TensorMap& a;
  int row;
  int token;
  int byte;  // of the first block of K
};

template <typename T>
__device__ __forceinline__ void copy_weights(const Source& from, std::byte* to, int block,
                                             std::uint64_t* full) {
  barrier_arrive_expecting(full, T::kStageBytes);
  copy_box(to, from.w, from.byte + block * kRowBytes, from.row, full);
}
template <typename T>
__device__ __forceinline__ void copy_tokens(const Source& from, std::byte* to, int block, bool pair,
                                            int half, std::uint64_t* full) {
  const int byte = from.byte + block * kRowBytes;
  std::byte* tokens = to + T::kWeightBytes;
  if (pair) {
    constexpr int kHalf = (T::kStageBytes - T::kWeightBytes) / kRowBytes / 2;  // tokens
    copy_box_to_pair(tokens + half * kHalf * kRowBytes, from.a, byte, from.token + half * kHalf,
                     full);
  } else {
    copy_box(tokens, from.a, byte, from.token, full);
  }
}

/// Keeps the ring full. One thread. Weights do not depend on the kernel in front of this one, so
/// the first of them are read before it has ended.
template <typename T, int kStages>
__device__ __forceinline__ void produce(const Source& from, Ring& ring, std::byte* stages,
                                        int blocks, bool pair, int half) {
  const int ahead = blocks < kStages ? blocks : kStages;
  for (int block = 0; block < ahead; ++block) {
    copy_weights<T>(from, stages + block * T::kStageBytes, block, &ring.full[block]);
  }
  wait_for_inputs();
  for (int block = 0; block < ahead; ++block) {
    copy_tokens<T>(from, stages + block * T::kStageBytes, block, pair, half, &ring.full[block]);
  }
  for (int block = ahead; block < blocks; ++block) {
    const int stage = block % kStages;
    const auto round = static_cast<unsigned>(block / kStages);
    barrier_wait(&ring.empty[stage], (round & 1U) ^ 1U);
    std::byte* to = stages + stage * T::kStageBytes;
    copy_weights<T>(from, to, block, &ring.full[stage]);
    copy_tokens<T>(from, to, block, pair, half, &ring.full[stage]);
  }
}

/// `fresh` becomes the sum of 128 products, from the blocks `block` and on of the ring.
template <typename T, bool kE4m3, int kTokens, int kStages>
__device__ __forceinline__ void multiply(Ring& ring, const std::byte* stages, int group, int& block,
                                         int other, float (&fresh)[T::kRegisters]) {
  const int lane = static_cast<int>(threadIdx.x % 32);
#pragma unroll
  for (int b = 0; b < T::kBlocksASum; ++b, ++block) {
    const int stage = block % kStages;
    barrier_wait(&ring.full[stage], static_cast<unsigned>(block / kStages) & 1U);
    const std::byte* at = stages + stage * T::kStageBytes;
    const std::uint64_t w = matrix_descriptor(at + group * kGroupRows * kRowBytes);
    const std::uint64_t a = matrix_descriptor(at + T::kWeightBytes);
    wgmma_hold(fresh);
    wgmma_fence();
#pragma unroll
    for (int k = 0; k < 4; ++k) {
      // 32 bytes of K a step: 2 in the descriptor's units of 16 bytes.
      Wgmma<kTokens, kE4m3>::add(fresh, w + 2 * k, a + 2 * k, b > 0 || k > 0 ? 1 : 0);
    }
    wgmma_commit();
    wgmma_wait();
    wgmma_hold(fresh);
    if (lane == 0) barrier_arrive(&ring.empty[stage]);
    if (lane == 1 && other >= 0) barrier_arrive_at(&ring.empty[stage], other);
  }
}

/// A shard's sum joins the subtrees that it completes, `leaf` shards being before it.
template <typename T>
__device__ __forceinline__ void fold(int leaf, float* far, float (&near)[T::kRegisters],
                                     float (&total)[T::kRegisters]) {
  constexpr int kStep = T::kFarFloats / T::kRegisters;
  bool joins = true;
#pragma unroll
  for (int level = 0; level < T::kLevels; ++level) {
    if (!joins) break;
    joins = (leaf + 1) % (2 << level) == 0;
    float* waiting = far + (level - 1) * T::kFarFloats;
    if (joins) {
#pragma unroll
      for (int i = 0; i < T::kRegisters; ++i) {
        total[i] = __fadd_rn(level == 0 ? near[i] : waiting[i * kStep], total[i]);
      }
    } else {
#pragma unroll
      for (int i = 0; i < T::kRegisters; ++i) {
        (level == 0 ? near[i] : waiting[i * kStep]) = total[i];
      }
    }
  }
}

/// Token of accumulator `i` of thread `thread`, from the tile's first.
__device__ __forceinline__ int token_of(int i, int thread) {
  return i / 4 * 8 + thread % 4 * 2 + i % 2;
}

/// The tokens' factors for a shard's sums.
template <typename T>
__device__ __forceinline__ void scale_shard(const DeviceGemmArgs& args, const Place& place,
                                            int shard, float (&total)[T::kRegisters]) {
  if (args.a_scale == nullptr) return;
  const int first = place.token + static_cast<int>(threadIdx.x % 4) * 2;
#pragma unroll
  for (int i = 0; i < T::kRegisters; i += 4) {
#pragma unroll
    for (int k = 0; k < 2; ++k) {
      const float factor = shard_scale(args, first + i / 4 * 8 + k, shard);
      total[i + k] = __fmul_rn(total[i + k], factor);
      total[i + 2 + k] = __fmul_rn(total[i + 2 + k], factor);
    }
  }
}

/// Row of accumulator `i` of thread `thread` of a warpgroup, from its first.
__device__ __forceinline__ int row_of(int i, int thread) {
  return thread / 32 * 16 + thread % 32 / 4 + i % 4 / 2 * 8;
}

template <typename T>
__device__ __forceinline__ void store_tile(const DeviceGemmArgs& args, const Place& place,
                                           int group, const float (&total)[T::kRegisters]) {
  const int thread = static_cast<int>(threadIdx.x) % kGroupThreads;
  const int first = place.row + group * kGroupRows;
  // Read before anything is stored: the compiler must take stores for changes of what it reads.
  const OutputRow outputs[2] = {output_row(args, first + row_of(0, thread)),
                                output_row(args, first + row_of(2, thread))};
#pragma unroll
  for (int i = 0; i < T::kRegisters; ++i) {
    const int token = place.token + token_of(i, thread);
    const int output = first + row_of(i, thread);
    if (output < args.w.rows && token < args.tokens) {
      store_output(args, place.part, token, output, outputs[i % 4 / 2], total[i]);
    }
  }
}

/// The sums of a cluster's blocks, one shard each, become one: every block folds its share of the
/// tile. `sums`: [kRegisters, kGroupThreads] at the same place in each.
template <typename T>
__device__ __forceinline__ void fold_cluster(const DeviceGemmArgs& args, const Place& place,
                                             int cluster, float* sums,
                                             const float (&total)[T::kRegisters]) {
  static_assert(T::kRows == kGroupRows);
  const int thread = static_cast<int>(threadIdx.x);
#pragma unroll
  for (int i = 0; i < T::kRegisters; ++i) sums[i * kGroupThreads + thread] = total[i];
  cluster_wait(cluster_arrive());
  const int share = T::kRegisters * kGroupThreads / cluster;
  const int first = cluster_rank() * share;
  for (int at = first + thread; at < first + share; at += kGroupThreads) {
    float part[8];
#pragma unroll
    for (int p = 0; p < 8; ++p) {
      if (p < cluster) part[p] = shared_value_of(sums + at, p);
    }
#pragma unroll
    for (int half = 4; half >= 1; half /= 2) {
      if (cluster < 2 * half) continue;
#pragma unroll
      for (int p = 0; p < half; ++p) part[p] = __fadd_rn(part[2 * p], part[2 * p + 1]);
    }
    const int i = at / kGroupThreads;
    const int output = place.row + row_of(i, at % kGroupThreads);
    const int token = place.token + token_of(i, at % kGroupThreads);
    if (output < args.w.rows && token < args.tokens) {
      store_output(args, place.part / cluster, token, output, output_row(args, output), part[0]);
    }
  }
  cluster_wait(cluster_arrive());  // others read this block's sums
}

/// Where a block is in its cluster.
struct Pair {
  bool there;
  int rank;
  [[nodiscard]] __device__ __forceinline__ int other() const { return there ? 1 - rank : -1; }
};

/// What the warpgroups that multiply do. `cluster`: blocks whose sums are folded, or 1.
template <typename T, bool kE4m3, int kTokens, int kStages, int kLeaves>
__device__ __forceinline__ void consume(const DeviceGemmArgs& args, const Place& place, Pair pair,
                                        int cluster, Ring& ring, std::byte* stages) {
  wait_for_inputs();
  let_next_start();
  const int thread = static_cast<int>(threadIdx.x);
  const int group = thread / kGroupThreads;
  const int shard_sums = args.w.shard_k / static_cast<int>(kBlock);  // FP32 additions of a shard
  float total[T::kRegisters];
  float near[T::kRegisters];
  float* far = reinterpret_cast<float*>(stages + kStages * T::kStageBytes) + thread;
  int block = 0;
#pragma unroll 1
  for (int leaf = 0; leaf < kLeaves; ++leaf) {
#pragma unroll
    for (int i = 0; i < T::kRegisters; ++i) total[i] = 0.0F;
#pragma unroll 1
    for (int sum = 0; sum < shard_sums; ++sum) {
      float fresh[T::kRegisters];
      multiply<T, kE4m3, kTokens, kStages>(ring, stages, group, block, pair.other(), fresh);
#pragma unroll
      for (int i = 0; i < T::kRegisters; ++i) total[i] = __fadd_rn(total[i], fresh[i]);
    }
    scale_shard<T>(args, place, place.part * kLeaves + leaf, total);
    fold<T>(leaf, far, near, total);
  }
  if constexpr (!T::kMayPair) {
    if (cluster > 1) {
      sync_group();  // all warps have read what the sums are written over
      return fold_cluster<T>(args, place, cluster, reinterpret_cast<float*>(stages), total);
    }
  }
  // The other block of a pair may still arrive at barriers of this one, which stays until it has.
  const std::uint64_t ticket = pair.there ? cluster_arrive() : 0;
  store_tile<T>(args, place, group, total);
  if (pair.there) cluster_wait(ticket);
}

/// Grid: tiles of outputs x tiles of tokens (place_of), 1, parts. Block: kGroups warpgroups and a
/// producer. Clusters: place_of. Dynamic shared memory: barriers, a ring of kStages
/// blocks of 128 bytes of K, subtrees of shards.
template <bool kE4m3, int kGroups, int kTokens, int kStages, int kLeaves>
__global__ void __launch_bounds__(Tile<kE4m3, kGroups, kTokens, kStages, kLeaves>::kThreads, 1)
    gemm_wgmma_kernel(const DeviceGemmArgs args, const __grid_constant__ TensorMap w_map,
                      const __grid_constant__ TensorMap a_map, const int cluster) {
  using T = Tile<kE4m3, kGroups, kTokens, kStages, kLeaves>;
  Ring& ring = *reinterpret_cast<Ring*>(shared_memory());
  std::byte* stages = shared_memory() + kBarrierBytes;
  const int thread = static_cast<int>(threadIdx.x);
  const bool paired = T::kMayPair && cluster == 2;
  const Pair pair{paired, paired ? cluster_rank() : 0};
  const Place place = place_of<T, kTokens>(args, cluster);
  if (thread == 0) {
    for (int stage = 0; stage < kStages; ++stage) {
      barrier_make(&ring.full[stage], 1);
      barrier_make(&ring.empty[stage], kGroups * kGroupThreads / 32 * (paired ? 2 : 1));
    }
    barriers_made();
  }
  __syncthreads();
  // Nobody may reach into a block of the pair whose barriers are not made.
  if (paired) cluster_wait(cluster_arrive());
  if (thread >= kGroups * kGroupThreads) {
    if constexpr (T::kMovesRegisters) give_registers<24>();
    if (thread == kGroups * kGroupThreads) {
      constexpr int kValueBytes = kE4m3 ? 1 : 2;
      const int byte = place.part * kLeaves * args.w.shard_k * kValueBytes;
      const int blocks = kLeaves * (args.w.shard_k / static_cast<int>(kBlock)) * T::kBlocksASum;
      produce<T, kStages>({w_map, a_map, place.row, place.token, byte}, ring, stages, blocks,
                          paired, pair.rank);
    }
  } else {
    if constexpr (T::kMovesRegisters) take_registers<240>();
    consume<T, kE4m3, kTokens, kStages, kLeaves>(args, place, pair, cluster, ring, stages);
  }
}

/// `folded`: shards that a cluster folds.
template <bool kE4m3, int kGroups, int kTokens, int kStages, int kLeaves>
void start(CudaStream stream, const DeviceGemmArgs& args, TensorMaps& maps, bool pairs,
           int folded = 1) {
  using T = Tile<kE4m3, kGroups, kTokens, kStages, kLeaves>;
  const std::int64_t row_bytes = args.w.inputs() * (kE4m3 ? 1 : 2);
  const int row_tiles = (args.w.rows + T::kRows - 1) / T::kRows;
  const int token_tiles = (args.tokens + kTokens - 1) / kTokens;
  const int pair = T::kMayPair && pairs && row_tiles > 1 ? 2 : 1;
  const int blocks = (row_tiles + pair - 1) / pair * pair * token_tiles * folded;
  launch(stream,
         {.name = "gemm_wgmma",
          .grid_x = static_cast<unsigned>(blocks),
          .grid_z = static_cast<unsigned>(args.w.shards / kLeaves / folded),
          .threads = T::kThreads,
          .shared_bytes = T::kSharedBytes,
          .cluster = static_cast<unsigned>(pair * folded),
          .early = true},
         gemm_wgmma_kernel<kE4m3, kGroups, kTokens, kStages, kLeaves>, args,
         maps.find(args.w.data, args.w.rows, row_bytes, T::kRows),
         maps.find(args.a, args.a_rows, row_bytes, kTokens / pair), pair * folded);
}

/// Few tokens: one warpgroup a block, so that there are blocks for every multiprocessor.
template <bool kE4m3>
void few_tokens(CudaStream stream, const DeviceGemmArgs& args, TensorMaps& maps, int folded) {
  if (args.tokens <= 8) return start<kE4m3, 1, 8, 6, 1>(stream, args, maps, false, folded);
  if (args.tokens <= 16) return start<kE4m3, 1, 16, 6, 1>(stream, args, maps, false, folded);
  if (args.tokens <= 32) return start<kE4m3, 1, 32, 6, 1>(stream, args, maps, false, folded);
  start<kE4m3, 1, 64, 6, 1>(stream, args, maps, false, folded);
}

/// Whether tiles of 192 tokens take less time than tiles of 128: rounds over the multiprocessors
/// times what a tile costs. A wide one reads 28 bytes where the other reads 24 and multiplies 36
/// times where the other does 24 times; between the two bounds lies the truth.
bool is_wide_better(const DeviceGemmArgs& args, int multiprocessors) {
  const std::int64_t row_tiles = (args.w.rows + 127) / 128;
  const auto cost = [&](int tokens, std::int64_t tile_cost) {
    const std::int64_t tiles = row_tiles * ((args.tokens + tokens - 1) / tokens);
    return (tiles + multiprocessors - 1) / multiprocessors * tile_cost;
  };
  return args.tokens > 128 && cost(192, 32) < cost(128, 24);
}

template <bool kE4m3>
void choose(CudaStream stream, const DeviceGemmArgs& args, TensorMaps& maps,
            const WgmmaOptions& options) {
  const bool pairs = options.pairs;
  constexpr int kFewTokens = 64;
  const int parts = args.kind == GemmOut::kParts ? args.parts : 1;
  const int leaves = args.w.shards / parts;
  ASSAY_CHECK(leaves == 1 || leaves == 2 || leaves == 4 || leaves == 8, "shards of a product");
  if (args.tokens <= kFewTokens && (leaves == 1 || options.fold)) {
    return few_tokens<kE4m3>(stream, args, maps, leaves);
  }
  switch (leaves) {
    case 2:
      return start<kE4m3, 2, 128, 6, 2>(stream, args, maps, pairs);
    case 4:
      return start<kE4m3, 2, 128, 4, 4>(stream, args, maps, pairs);
    case 8:
      return start<kE4m3, 2, 128, 3, 8>(stream, args, maps, pairs);
    default:
      if (args.tokens <= 128 && args.w.shards == 1) {
        return start<kE4m3, 1, 128, 4, 1>(stream, args, maps, pairs);
      }
      if (options.wide && is_wide_better(args, options.multiprocessors)) {
        return start<kE4m3, 2, 192, 5, 1>(stream, args, maps, pairs);
      }
      return start<kE4m3, 2, 128, 6, 1>(stream, args, maps, pairs);
  }
}

}  // namespace

bool gemm_wgmma_fits(const DeviceGemmArgs& args) {
  return args.a_is_e4m3 == (args.w.type == WeightType::kE4m3);
}

void gemm_wgmma_cuda(CudaStream stream, const DeviceGemmArgs& args, TensorMaps& maps,
                     const WgmmaOptions& options) {
  ASSAY_CHECK(gemm_wgmma_fits(args), "operands of one type");
  ASSAY_CHECK(args.w.shard_k % kBlock == 0 && args.ldo >= args.w.rows, "shape of a product");
  ASSAY_CHECK(args.a_rows >= args.tokens, "rows behind a product's input");
  if (args.tokens == 0) return;
  if (args.a_is_e4m3) {
    choose<true>(stream, args, maps, options);
  } else {
    choose<false>(stream, args, maps, options);
  }
}

}  // namespace assay::engine
