// Attention with the CPU's order of additions, on CUDA cores: the oracle of the tensor-core
// kernels, and the kernel for head sizes that those do not have.
#include "base/check.h"
#include "engine/cuda/launch.cuh"
#include "engine/cuda/rows.cuh"
#include "engine/ops/paged_attention.h"

namespace assay::engine {
namespace {

constexpr int kThreads = 128;
constexpr int kChunk = static_cast<int>(kPageTokens);
constexpr int kMostGroup = 16;

struct Layout {
  int group = 0;
  int head_dim = 0;
  [[nodiscard]] __host__ __device__ int scores() const { return 0; }  // [group, 64]
  [[nodiscard]] __host__ __device__ int numerators() const { return group * kChunk; }
  [[nodiscard]] __host__ __device__ int out() const { return 2 * group * kChunk; }  // [group, d]
  [[nodiscard]] __host__ __device__ int chunk_state() const { return out() + group * head_dim; }
  [[nodiscard]] __host__ __device__ int state() const { return chunk_state() + 2 * kMostGroup; }
  [[nodiscard]] __host__ __device__ int floats() const { return state() + 2 * kMostGroup; }
};

__device__ __forceinline__ float cached(const DeviceCache& cache, std::int64_t at) {
  return cache.scales == nullptr ? from_bf16(static_cast<const bf16*>(cache.data)[at])
                                 : from_e4m3(static_cast<const e4m3*>(cache.data)[at]);
}

/// q . k in the CPU's order: pairs ascending, the odd element first.
__device__ __forceinline__ float score(const PagedAttentionArgs& args, const bf16* q,
                                       std::int64_t key) {
  float sum = 0.0F;
  for (int i = 0; i < args.cache.head_dim; i += 2) {
    sum = __fmaf_rn(cached(args.cache, key + i + 1), from_bf16(q[i + 1]), sum);
    sum = __fmaf_rn(cached(args.cache, key + i), from_bf16(q[i]), sum);
  }
  return sum;
}

/// One warp: numerators and state of one query head over one chunk of `valid` keys.
__device__ __forceinline__ void chunk_softmax(const PagedAttentionArgs& args, float* scores,
                                              float* numerators, float* state, std::int64_t scales,
                                              int valid, float scale) {
  const int lane = static_cast<int>(threadIdx.x % 32);
  const int used = (valid + 15) / 16 * 16;
  const int first = lane < 16 ? lane : used;  // half a warp works, as the CPU's 16 lanes
  const float kNothing = __uint_as_float(0xFF800000U);
  float top = kNothing;
  for (int j = first; j < used; j += 16) {
    float value = kNothing;
    if (j < valid) {
      value = scores[j];
      if (args.cache.scales != nullptr) value = __fmul_rn(value, args.cache.scales[scales + j]);
      value = __fmul_rn(value, scale);
    }
    scores[j] = value;
    top = top > value || top != top ? top : value;
  }
  __syncwarp();
  for (int half = 8; half >= 1; half /= 2) {
    const float other = __shfl_xor_sync(kAllLanes, top, half);
    top = top > other || top != top ? top : other;
  }
  float sum = 0.0F;
  for (int j = first; j < used; j += 16) {
    float p = from_bf16(to_bf16(exp2_exact(__fadd_rn(scores[j], -top))));
    sum = __fadd_rn(sum, p);
    if (args.cache.scales != nullptr && j < valid) {
      p = from_bf16(to_bf16(__fmul_rn(p, args.cache.scales[scales + kChunk + j])));
    }
    numerators[j] = j < valid ? p : 0.0F;
  }
  sum = sum_16_lanes(sum);
  for (int j = used + lane; j < kChunk; j += 32) numerators[j] = 0.0F;
  if (lane == 0) {
    state[0] = top;
    state[1] = sum;
  }
}

/// Grid: rows x KV heads. Block: 128 threads; the query heads of one KV head for one row, chunk
/// after chunk. Dynamic shared memory: Layout.
__global__ void __launch_bounds__(kThreads)
    attention_exact_kernel(const PagedAttentionArgs args, float scale) {
  float* shared = reinterpret_cast<float*>(shared_memory());
  const std::int64_t row = blockIdx.x;
  const int kv_head = static_cast<int>(blockIdx.y);
  const int d = args.cache.head_dim;
  const int group = args.heads / args.cache.kv_heads;
  const Layout layout{group, d};
  float* scores = shared + layout.scores();
  float* numerators = shared + layout.numerators();
  float* out = shared + layout.out();
  float* fresh = shared + layout.chunk_state();
  float* state = shared + layout.state();
  const int thread = static_cast<int>(threadIdx.x);
  const int position = args.rows.positions[row];
  const int* pages = args.rows.page_table +
                     static_cast<std::int64_t>(args.rows.sequence[row]) * args.rows.table_ld;
  const bf16* q = args.q + row * args.ldq + static_cast<std::int64_t>(kv_head) * group * d;
  for (int chunk = 0; chunk * kChunk <= position; ++chunk) {
    const std::int64_t page = pages[chunk];
    const int left = position + 1 - chunk * kChunk;
    const int valid = left < kChunk ? left : kChunk;
    const std::int64_t keys = args.cache.tile(page, kv_head, 0);
    const std::int64_t values = args.cache.tile(page, kv_head, 1);
    __syncthreads();
    for (int i = thread; i < group * valid; i += kThreads) {
      const int g = i / valid;
      const int j = i % valid;
      scores[g * kChunk + j] = score(args, q + g * d, keys + static_cast<std::int64_t>(j) * d);
    }
    __syncthreads();
    for (int g = thread / 32; g < group; g += kThreads / 32) {
      chunk_softmax(args, scores + g * kChunk, numerators + g * kChunk, fresh + 2 * g,
                    args.cache.scale_at(page, kv_head, 0), valid, scale);
    }
    __syncthreads();
    for (int i = thread; i < group * d; i += kThreads) {
      const int g = i / d;
      const float* p = numerators + g * kChunk;
      const std::int64_t column = values + i % d;
      float sum = 0.0F;
      for (int j = 0; j < valid; j += 2) {
        // The second token of the last pair may hold anything: it must not count, not as 0 * NaN.
        if (j + 1 < valid) {
          sum = __fmaf_rn(cached(args.cache, column + static_cast<std::int64_t>(j + 1) * d),
                          p[j + 1], sum);
        }
        sum = __fmaf_rn(cached(args.cache, column + static_cast<std::int64_t>(j) * d), p[j], sum);
      }
      if (chunk == 0) {
        out[i] = sum;
      } else {
        const float top = state[2 * g] > fresh[2 * g] ? state[2 * g] : fresh[2 * g];
        const float a = exp2_exact(__fadd_rn(state[2 * g], -top));
        const float b = exp2_exact(__fadd_rn(fresh[2 * g], -top));
        out[i] = __fadd_rn(__fmul_rn(out[i], a), __fmul_rn(sum, b));
      }
    }
    __syncthreads();
    if (thread < group) {
      float* old = state + 2 * thread;
      const float* now = fresh + 2 * thread;
      if (chunk == 0) {
        old[0] = now[0];
        old[1] = now[1];
      } else {
        const float top = old[0] > now[0] ? old[0] : now[0];
        const float a = exp2_exact(__fadd_rn(old[0], -top));
        const float b = exp2_exact(__fadd_rn(now[0], -top));
        old[1] = __fadd_rn(__fmul_rn(old[1], a), __fmul_rn(now[1], b));
        old[0] = top;
      }
    }
  }
  __syncthreads();
  bf16* to = args.out + row * args.ldo + static_cast<std::int64_t>(kv_head) * group * d;
  for (int i = thread; i < group * d; i += kThreads) {
    to[i] = to_bf16(__fdiv_rn(out[i], state[2 * (i / d) + 1]));
  }
}

}  // namespace

void attention_exact_cuda(CudaStream stream, const PagedAttentionArgs& args) {
  const int group = args.heads / args.cache.kv_heads;
  ASSAY_CHECK(group >= 1 && group <= kMostGroup && args.heads % args.cache.kv_heads == 0,
              "query heads of a KV head");
  if (args.rows.rows == 0) return;
  const Layout layout{group, args.cache.head_dim};
  launch(stream,
         {.name = "attention_exact",
          .grid_x = static_cast<unsigned>(args.rows.rows),
          .grid_y = static_cast<unsigned>(args.cache.kv_heads),
          .threads = kThreads,
          .shared_bytes = static_cast<std::size_t>(layout.floats()) * sizeof(float)},
         attention_exact_kernel, args, attention_scale(args.cache.head_dim));
}

}  // namespace assay::engine
