// The product on Hopper's warpgroup instructions, for every number of tokens one arithmetic.
//
// Weights are always the 64-row operand and tokens the 8- to 128-column one, so few tokens waste
// nothing and a token's bits do not depend on the tile. E4M3 x E4M3 sums 128 products in four
// instructions from zero (whose sums carry 13 fraction bits), then adds them in FP32; BF16 x BF16
// does the same in eight, which gives the bits of gemm_mma.cu.
//
// One producer warp keeps a ring of blocks full with the tensor memory accelerator; warpgroups
// consume. Sources of the idea: NVIDIA CUTLASS (warp-specialised pipelines), DeepSeek's DeepGEMM
// (promotion of partial sums); ENGINE_NOTES of this project.
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
constexpr int kProducerThreads = 32;
constexpr int kMostStages = 8;
constexpr int kBarrierBytes = 1024;  // in front of the ring, whose stages begin at multiples of it

/// One shape of the kernel. kGroups warpgroups of 64 outputs, kTokens tokens, kStages blocks in the
/// ring, kLeaves shards whose sums a block folds.
template <bool kE4m3, int kGroups, int kTokens, int kStages, int kLeaves>
struct Tile {
  static constexpr int kRows = kGroups * kGroupRows;
  static constexpr int kThreads = kGroups * kGroupThreads + kProducerThreads;
  static constexpr int kWeightBytes = kRows * kRowBytes;
  static constexpr int kStageBytes = kWeightBytes + kTokens * kRowBytes;
  /// With eight shards of 64 tokens the tallest subtree waits in shared memory: it is touched
  /// twice, and the registers of a thread hold no more.
  static constexpr bool kFar = kLeaves == 8 && kTokens == 64;
  static constexpr int kFarBytes = kFar ? kRows * kTokens * static_cast<int>(sizeof(float)) : 0;
  static constexpr int kSharedBytes = kBarrierBytes + kStages * kStageBytes + kFarBytes;
  static constexpr int kBlockValues = kE4m3 ? kRowBytes : kRowBytes / 2;
  /// Blocks of the ring whose products are summed before they join the FP32 sum: 128 values.
  static constexpr int kBlocksASum = static_cast<int>(kBlock) / kBlockValues;
  static constexpr int kRegisters = kTokens / 2;
  static_assert(kSharedBytes <= 227 << 10);
  static_assert(kStages <= kMostStages && kStageBytes % 1024 == 0);
};

struct Ring {
  std::uint64_t full[kMostStages];   // the block is there
  std::uint64_t empty[kMostStages];  // every warp has read it
};
static_assert(sizeof(Ring) <= kBarrierBytes);

/// Keeps the ring full. One thread.
template <typename T, int kStages>
__device__ __forceinline__ void produce(const TensorMap& w_map, const TensorMap& a_map, Ring& ring,
                                        std::byte* stages, int first_byte, int first_row,
                                        int first_token, int blocks) {
  for (int block = 0; block < blocks; ++block) {
    const int stage = block % kStages;
    const auto round = static_cast<unsigned>(block / kStages);
    barrier_wait(&ring.empty[stage], (round & 1U) ^ 1U);
    barrier_arrive_expecting(&ring.full[stage], T::kStageBytes);
    std::byte* to = stages + stage * T::kStageBytes;
    const int byte = first_byte + block * kRowBytes;
    copy_box(to, w_map, byte, first_row, &ring.full[stage]);
    copy_box(to + T::kWeightBytes, a_map, byte, first_token, &ring.full[stage]);
  }
}

/// Grid: tiles of outputs x tiles of tokens x parts. Block: kGroups warpgroups and a producer warp.
/// Dynamic shared memory: barriers, then a ring of kStages blocks of 128 bytes of K.
template <bool kE4m3, int kGroups, int kTokens, int kStages, int kLeaves>
__global__ void __launch_bounds__(Tile<kE4m3, kGroups, kTokens, kStages, kLeaves>::kThreads, 1)
    gemm_wgmma_kernel(const DeviceGemmArgs args, const __grid_constant__ TensorMap w_map,
                      const __grid_constant__ TensorMap a_map) {
  using T = Tile<kE4m3, kGroups, kTokens, kStages, kLeaves>;
  Ring& ring = *reinterpret_cast<Ring*>(shared_memory());
  std::byte* stages = shared_memory() + kBarrierBytes;
  const int thread = static_cast<int>(threadIdx.x);
  const int first_row = static_cast<int>(blockIdx.x) * T::kRows;
  const int first_token = static_cast<int>(blockIdx.y) * kTokens;
  const int part = static_cast<int>(blockIdx.z);
  if (thread == 0) {
    for (int stage = 0; stage < kStages; ++stage) {
      barrier_make(&ring.full[stage], 1);
      barrier_make(&ring.empty[stage], kGroups * kGroupThreads / 32);
    }
    barriers_made();
  }
  __syncthreads();
  const int shard_sums = args.w.shard_k / static_cast<int>(kBlock);  // FP32 additions of a shard
  constexpr int kValueBytes = kE4m3 ? 1 : 2;
  if (thread >= kGroups * kGroupThreads) {
    if (thread == kGroups * kGroupThreads) {
      produce<T, kStages>(w_map, a_map, ring, stages, part * kLeaves * args.w.shard_k * kValueBytes,
                          first_row, first_token, kLeaves * shard_sums * T::kBlocksASum);
    }
    return;
  }
  const int group = thread / kGroupThreads;
  float total[T::kRegisters];
  constexpr int kLevels = kLeaves == 8 ? 3 : kLeaves == 4 ? 2 : kLeaves == 2 ? 1 : 0;
  // Subtrees of shards that wait for their right neighbour, by height.
  constexpr int kNear = T::kFar ? kLevels - 1 : kLevels;
  float pending[kNear == 0 ? 1 : kNear][T::kRegisters];
  float* far = reinterpret_cast<float*>(stages + kStages * T::kStageBytes) + thread;
  constexpr int kFarStep = kGroups * kGroupThreads;
  const int lane = thread % 32;
  int block = 0;
#pragma unroll
  for (int leaf = 0; leaf < kLeaves; ++leaf) {
#pragma unroll
    for (int i = 0; i < T::kRegisters; ++i) total[i] = 0.0F;
    for (int sum = 0; sum < shard_sums; ++sum) {
      float fresh[T::kRegisters];
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
      }
#pragma unroll
      for (int i = 0; i < T::kRegisters; ++i) total[i] = __fadd_rn(total[i], fresh[i]);
    }
    const int shard = part * kLeaves + leaf;
#pragma unroll
    for (int i = 0; i < T::kRegisters; ++i) {
      if (args.a_scale != nullptr) {
        const int token = first_token + i / 4 * 8 + lane % 4 * 2 + i % 2;
        total[i] = __fmul_rn(total[i], shard_scale(args, token, shard));
      }
#pragma unroll
      for (int level = 0; level < kLevels; ++level) {
        const bool is_far = level >= kNear;
        if ((leaf + 1) % (2 << level) != 0) {
          (is_far ? far[i * kFarStep] : pending[is_far ? 0 : level][i]) = total[i];
          break;
        }
        total[i] = __fadd_rn(is_far ? far[i * kFarStep] : pending[is_far ? 0 : level][i], total[i]);
      }
    }
  }
  const int row = first_row + group * kGroupRows + thread % kGroupThreads / 32 * 16 + lane / 4;
#pragma unroll
  for (int i = 0; i < T::kRegisters; ++i) {
    const int token = first_token + i / 4 * 8 + lane % 4 * 2 + i % 2;
    const int output = row + i % 4 / 2 * 8;
    if (output < args.w.rows && token < args.tokens) {
      store_output(args, part, token, output, total[i]);
    }
  }
}

template <bool kE4m3, int kGroups, int kTokens, int kStages, int kLeaves>
void start(CudaStream stream, const DeviceGemmArgs& args, TensorMaps& maps) {
  using T = Tile<kE4m3, kGroups, kTokens, kStages, kLeaves>;
  const std::int64_t row_bytes = args.w.inputs() * (kE4m3 ? 1 : 2);
  launch(stream,
         {.name = "gemm_wgmma",
          .grid_x = static_cast<unsigned>((args.w.rows + T::kRows - 1) / T::kRows),
          .grid_y = static_cast<unsigned>((args.tokens + kTokens - 1) / kTokens),
          .grid_z = static_cast<unsigned>(args.w.shards / kLeaves),
          .threads = T::kThreads,
          .shared_bytes = T::kSharedBytes},
         gemm_wgmma_kernel<kE4m3, kGroups, kTokens, kStages, kLeaves>, args,
         maps.find(args.w.data, args.w.rows, row_bytes, T::kRows),
         maps.find(args.a, args.a_rows, row_bytes, kTokens));
}

/// Few tokens: one warpgroup a block, so that there are blocks for every multiprocessor.
template <bool kE4m3, int kLeaves>
void choose_tokens(CudaStream stream, const DeviceGemmArgs& args, TensorMaps& maps) {
  if (args.tokens <= 8) return start<kE4m3, 1, 8, 6, kLeaves>(stream, args, maps);
  if (args.tokens <= 16) return start<kE4m3, 1, 16, 6, kLeaves>(stream, args, maps);
  if (args.tokens <= 32) return start<kE4m3, 1, 32, 6, kLeaves>(stream, args, maps);
  if constexpr (kLeaves > 1) {
    // The tree of shards stays in registers, which leaves room for 64 tokens.
    return start<kE4m3, 2, 64, 7, kLeaves>(stream, args, maps);
  } else {
    if (args.tokens <= 64) return start<kE4m3, 1, 64, 6, 1>(stream, args, maps);
    if (args.tokens <= 128) return start<kE4m3, 1, 128, 4, 1>(stream, args, maps);
    start<kE4m3, 2, 128, 6, 1>(stream, args, maps);
  }
}

template <bool kE4m3>
void choose_leaves(CudaStream stream, const DeviceGemmArgs& args, TensorMaps& maps) {
  const int parts = args.kind == GemmOut::kParts ? args.parts : 1;
  switch (args.w.shards / parts) {
    case 1:
      return choose_tokens<kE4m3, 1>(stream, args, maps);
    case 2:
      return start<kE4m3, 1, 64, 6, 2>(stream, args, maps);
    case 4:
      return start<kE4m3, 1, 64, 6, 4>(stream, args, maps);
    case 8:
      return choose_tokens<kE4m3, 8>(stream, args, maps);
    default:
      ASSAY_CHECK(false, "shards of a product");
  }
}

}  // namespace

bool gemm_wgmma_fits(const DeviceGemmArgs& args) {
  return args.a_is_e4m3 == (args.w.type == WeightType::kE4m3);
}

void gemm_wgmma_cuda(CudaStream stream, const DeviceGemmArgs& args, TensorMaps& maps) {
  ASSAY_CHECK(gemm_wgmma_fits(args), "operands of one type");
  ASSAY_CHECK(args.w.shard_k % kBlock == 0 && args.ldo >= args.w.rows, "shape of a product");
  ASSAY_CHECK(args.a_rows >= args.tokens, "rows behind a product's input");
  if (args.tokens == 0) return;
  if (args.a_is_e4m3) {
    choose_leaves<true>(stream, args, maps);
  } else {
    choose_leaves<false>(stream, args, maps);
  }
}

}  // namespace assay::engine
