// The product on tensor cores with mma.sync, for every architecture. Weights are the 16-row
// operand, so that few tokens waste nothing.
//
// E4M3 activations: both operands become FP16; BF16 activations: weights become BF16. Both are
// exact. 128 products are summed from zero in eight instructions of 16, inside which k is permuted
// (4 t .. 4 t + 3 where the instruction has 2 t, 2 t + 1, 2 t + 8, 2 t + 9) alike for both
// operands.
#include "base/check.h"
#include "engine/cuda/gemm_store.cuh"
#include "engine/cuda/launch.cuh"
#include "engine/cuda/mma.cuh"

namespace assay::engine {
namespace {

constexpr int kWarps = 4;
constexpr int kThreads = kWarps * 32;
constexpr int kTileRows = kWarps * 16;  // outputs of a block
constexpr int kBlockK = static_cast<int>(kBlock);
constexpr int kStages = 3;
// Blocks that a multiprocessor holds at least. 0 leaves it to the compiler, which for sm_120a keeps
// one instance to 64 registers and spills.
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 1200
constexpr int kResident = 4;
#else
constexpr int kResident = 0;
#endif
constexpr int kPad = 16;  // bytes behind a row: the lanes of a warp read different banks

enum class Operands { kE4m3, kE4m3Bf16, kBf16 };  // weights x activations

template <Operands kOperands>
struct Types {
  static constexpr int kWBytes = kOperands == Operands::kBf16 ? 2 : 1;
  static constexpr int kABytes = kOperands == Operands::kE4m3 ? 1 : 2;
};

/// Four consecutive values of a row as two registers of the instruction's type.
template <Operands kOperands, int kBytes>
__device__ __forceinline__ void load_quad(const std::byte* at, unsigned& first, unsigned& second) {
  if constexpr (kBytes == 2) {
    const uint2 both = *reinterpret_cast<const uint2*>(at);
    first = both.x;
    second = both.y;
  } else {
    const unsigned codes = *reinterpret_cast<const unsigned*>(at);
    if constexpr (kOperands == Operands::kE4m3) {
      first = e4m3x2_to_f16x2(codes & 0xFFFFU);
      second = e4m3x2_to_f16x2(codes >> 16);
    } else {
      first = e4m3x2_to_bf16x2(codes & 0xFFFFU);
      second = e4m3x2_to_bf16x2(codes >> 16);
    }
  }
}

/// Starts the copy of `lines` rows of a block of K into a stage of the ring.
template <int kBytes>
__device__ __forceinline__ void fetch(std::byte* to, const void* base, std::int64_t row_bytes,
                                      std::int64_t at_bytes, int first, int lines, int end) {
  constexpr int kPieces = kBlockK * kBytes / 16;
  constexpr int kStride = kBlockK * kBytes + kPad;
  for (int i = static_cast<int>(threadIdx.x); i < lines * kPieces; i += kThreads) {
    const int line = i / kPieces;
    const int piece = i % kPieces;
    const bool valid = first + line < end;
    const std::byte* from = static_cast<const std::byte*>(base) +
                            (valid ? (first + line) * row_bytes : 0) + at_bytes + piece * 16;
    copy_async_16(to + line * kStride + piece * 16, from, valid);
  }
}

/// Grid: tiles of 64 outputs x tiles of 8 kTiles tokens x parts. Block: 4 warps, 16 outputs each.
/// Dynamic shared memory: a ring of three blocks of K. kLeaves: shards that a block folds.
/// kGrouped: blocks of K have scales.
template <Operands kOperands, int kTiles, int kLeaves, bool kGrouped>
__global__ void __launch_bounds__(kThreads, kResident)
    gemm_mma_kernel(const DeviceGemmArgs args) {
  wait_for_inputs();
  let_next_start();
  using T = Types<kOperands>;
  constexpr int kTokens = 8 * kTiles;
  constexpr int kWStride = kBlockK * T::kWBytes + kPad;
  constexpr int kAStride = kBlockK * T::kABytes + kPad;
  constexpr int kStageBytes = kTileRows * kWStride + kTokens * kAStride;
  std::byte* ring = shared_memory();
  const int lane = static_cast<int>(threadIdx.x % 32);
  const int warp = static_cast<int>(threadIdx.x / 32);
  const int first_row = static_cast<int>(blockIdx.x) * kTileRows;
  const int first_token = static_cast<int>(blockIdx.y) * kTokens;
  const int part = static_cast<int>(blockIdx.z);
  const std::int64_t inputs = args.w.inputs();
  const int shard_blocks = args.w.shard_k / kBlockK;
  const int blocks = shard_blocks * kLeaves;
  const std::int64_t first_k = static_cast<std::int64_t>(part) * kLeaves * args.w.shard_k;
  const auto load = [&](int block) {
    if (block < blocks) {
      std::byte* stage = ring + block % kStages * kStageBytes;
      const std::int64_t k = first_k + static_cast<std::int64_t>(block) * kBlockK;
      fetch<T::kWBytes>(stage, args.w.data, inputs * T::kWBytes, k * T::kWBytes, first_row,
                        kTileRows, args.w.rows);
      fetch<T::kABytes>(stage + kTileRows * kWStride, args.a, inputs * T::kABytes, k * T::kABytes,
                        first_token, kTokens, args.tokens);
    }
    copy_async_commit();
  };
  for (int block = 0; block < kStages - 1; ++block) load(block);
  constexpr int kLevels = kLeaves == 8 ? 3 : 0;
  float total[kTiles][4];
  // Subtrees that wait for their right neighbour, by height.
  float pending[kLevels == 0 ? 1 : kLevels][kTiles][4];
#pragma unroll 1
  for (int leaf = 0; leaf < kLeaves; ++leaf) {
#pragma unroll
    for (int n = 0; n < kTiles; ++n) {
      for (int i = 0; i < 4; ++i) total[n][i] = 0.0F;
    }
    for (int b = 0; b < shard_blocks; ++b) {
      const int block = leaf * shard_blocks + b;
      copy_async_wait<kStages - 2>();
      __syncthreads();
      load(block + kStages - 1);
      const std::byte* stage = ring + block % kStages * kStageBytes;
      const std::byte* w = stage + (warp * 16 + lane / 4) * kWStride + lane % 4 * 4 * T::kWBytes;
      const std::byte* x =
          stage + kTileRows * kWStride + lane / 4 * kAStride + lane % 4 * 4 * T::kABytes;
      float sum[kTiles][4] = {};
#pragma unroll
      for (int k = 0; k < kBlockK; k += 16) {
        unsigned a[4];
        load_quad<kOperands, T::kWBytes>(w + k * T::kWBytes, a[0], a[2]);
        load_quad<kOperands, T::kWBytes>(w + 8 * kWStride + k * T::kWBytes, a[1], a[3]);
#pragma unroll
        for (int n = 0; n < kTiles; ++n) {
          unsigned right[2];
          load_quad<kOperands, T::kABytes>(x + n * 8 * kAStride + k * T::kABytes, right[0],
                                           right[1]);
          if constexpr (kOperands == Operands::kE4m3) {
            mma_f16(sum[n], a, right);
          } else {
            mma_bf16(sum[n], a, right);
          }
        }
      }
#pragma unroll
      for (int n = 0; n < kTiles; ++n) {
        for (int i = 0; i < 4; ++i) {
          if constexpr (kGrouped) {
            sum[n][i] = scale_block(args, first_token + n * 8 + lane % 4 * 2 + i % 2,
                                    first_row + warp * 16 + lane / 4 + i / 2 * 8,
                                    part * blocks + block, sum[n][i]);
          }
          total[n][i] = __fadd_rn(total[n][i], sum[n][i]);
        }
      }
    }
    if (args.a_scale != nullptr) {
#pragma unroll
      for (int n = 0; n < kTiles; ++n) {
        for (int i = 0; i < 4; ++i) {
          const int token = first_token + n * 8 + lane % 4 * 2 + i % 2;
          total[n][i] = __fmul_rn(total[n][i], shard_scale(args, token, part * kLeaves + leaf));
        }
      }
    }
    // A subtree joins its left neighbour wherever this leaf is the last of one.
    bool joins = true;
#pragma unroll
    for (int level = 0; level < kLevels; ++level) {
      if (!joins) break;
      joins = (leaf + 1) % (2 << level) == 0;
#pragma unroll
      for (int n = 0; n < kTiles; ++n) {
        for (int i = 0; i < 4; ++i) {
          if (joins) {
            total[n][i] = __fadd_rn(pending[level][n][i], total[n][i]);
          } else {
            pending[level][n][i] = total[n][i];
          }
        }
      }
    }
  }
  const int first_output = first_row + warp * 16 + lane / 4;
  const OutputRow outputs[2] = {output_row(args, first_output),
                                output_row(args, first_output + 8)};
#pragma unroll
  for (int n = 0; n < kTiles; ++n) {
    for (int i = 0; i < 4; ++i) {
      const int row = first_row + warp * 16 + lane / 4 + i / 2 * 8;
      const int token = first_token + n * 8 + lane % 4 * 2 + i % 2;
      if (row < args.w.rows && token < args.tokens) {
        store_output(args, part, token, row, outputs[i / 2], total[n][i]);
      }
    }
  }
}

template <Operands kOperands, int kTiles, int kLeaves, bool kGrouped>
void start(CudaStream stream, const DeviceGemmArgs& args) {
  using T = Types<kOperands>;
  constexpr int kTokens = 8 * kTiles;
  constexpr std::size_t kBytes = kStages * (kTileRows * (kBlockK * T::kWBytes + kPad) +
                                            kTokens * (kBlockK * T::kABytes + kPad));
  launch(stream,
         {.name = "gemm_mma",
          .grid_x = static_cast<unsigned>((args.w.rows + kTileRows - 1) / kTileRows),
          .grid_y = static_cast<unsigned>((args.tokens + kTokens - 1) / kTokens),
          .grid_z = static_cast<unsigned>(args.w.shards / kLeaves),
          .threads = kThreads,
          .shared_bytes = kBytes,
          .early = true},
         gemm_mma_kernel<kOperands, kTiles, kLeaves, kGrouped>, args);
}

template <Operands kOperands, int kLeaves, bool kGrouped>
void choose_tokens(CudaStream stream, const DeviceGemmArgs& args) {
  if (args.tokens <= 8) return start<kOperands, 1, kLeaves, kGrouped>(stream, args);
  if (args.tokens <= 16 || kLeaves > 1) {
    return start<kOperands, 2, kLeaves, kGrouped>(stream, args);
  }
  if constexpr (kLeaves == 1) {
    if (args.tokens <= 32) return start<kOperands, 4, 1, kGrouped>(stream, args);
    start<kOperands, 8, 1, kGrouped>(stream, args);
  }
}

template <Operands kOperands, bool kGrouped>
void choose_leaves(CudaStream stream, const DeviceGemmArgs& args) {
  const int parts = args.kind == GemmOut::kParts ? args.parts : 1;
  switch (args.w.shards / parts) {
    case 1:
      return choose_tokens<kOperands, 1, kGrouped>(stream, args);
    case 8:
      return choose_tokens<kOperands, 8, kGrouped>(stream, args);
    default:
      ASSAY_CHECK(false, "a block folds one or eight shards");
  }
}

template <Operands kOperands>
void choose_grouped(CudaStream stream, const DeviceGemmArgs& args) {
  if (args.w.group_scale != nullptr) return choose_leaves<kOperands, true>(stream, args);
  choose_leaves<kOperands, false>(stream, args);
}

}  // namespace

void gemm_mma_cuda(CudaStream stream, const DeviceGemmArgs& args) {
  ASSAY_CHECK(args.w.shard_k % kBlockK == 0 && args.ldo >= args.w.rows, "shape of a product");
  if (args.tokens == 0) return;
  if (args.w.type == WeightType::kBf16) {
    ASSAY_CHECK(!args.a_is_e4m3, "BF16 weights take BF16 activations");
    choose_grouped<Operands::kBf16>(stream, args);
  } else if (args.a_is_e4m3) {
    choose_grouped<Operands::kE4m3>(stream, args);
  } else {
    choose_grouped<Operands::kE4m3Bf16>(stream, args);
  }
}

}  // namespace assay::engine
