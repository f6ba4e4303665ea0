#include "base/check.h"
#include "engine/cuda/launch.cuh"
#include "engine/cuda/rows.cuh"
#include "engine/ops/logits.h"

namespace assay::engine {
namespace {

constexpr int kThreads = 512;
constexpr int kWarps = kThreads / 32;
constexpr int kTile = 128;  // logits whose exponentials are summed in FP32
constexpr float kLog2E = 1.44269504F;
constexpr int kBins = 256;
constexpr float kWeightUnit = 0x1p44F;

/// Shared memory of all kernels of this file.
struct Shared {
  std::uint64_t bins[kBins];
  std::uint64_t scan[kThreads];
  std::uint64_t found[2];  // digit, and what was counted above it
  int flag;
  float max;
  int argmax;
  float tiles[1];  // one a tile of 128 logits
};

__device__ __forceinline__ Shared& shared() { return *reinterpret_cast<Shared*>(shared_memory()); }

std::size_t shared_bytes(int vocab) {
  return sizeof(Shared) + static_cast<std::size_t>((vocab + kTile - 1) / kTile) * sizeof(float);
}

/// Ascending with the logit; -0 and 0 are equal.
__device__ __forceinline__ unsigned key_of(float logit) {
  const unsigned bits = __float_as_uint(__fadd_rn(logit, 0.0F));
  return (bits & 0x80000000U) != 0 ? ~bits : bits | 0x80000000U;
}

/// floor(2^44 * 2^((logit - max) * per_degree)).
__device__ __forceinline__ std::uint64_t weight_of(float logit, float max, float per_degree) {
  const float x = __fmul_rn(__fadd_rn(logit, -max), per_degree);
  return static_cast<std::uint64_t>(__fmul_rn(exp2_exact(x), kWeightUnit));
}

/// Sum over the threads before this one; `total` becomes the sum over all.
__device__ std::uint64_t exclusive_scan(std::uint64_t value, std::uint64_t* total) {
  Shared& s = shared();
  const int thread = static_cast<int>(threadIdx.x);
  __syncthreads();
  s.scan[thread] = value;
  __syncthreads();
  for (int step = 1; step < kThreads; step *= 2) {
    const std::uint64_t left = thread >= step ? s.scan[thread - step] : 0;
    __syncthreads();
    s.scan[thread] += left;
    __syncthreads();
  }
  *total = s.scan[kThreads - 1];
  return s.scan[thread] - value;
}

/// A prefix of the order (logit descending, id ascending): all keys above `key`, and the first
/// `equal` ids with that key.
struct Prefix {
  unsigned key = 0;
  std::uint64_t equal = ~std::uint64_t{0};
};

struct Weights {
  float max;
  float per_degree;
  bool unit;  // every weight is 1
  __device__ __forceinline__ std::uint64_t operator()(float logit) const {
    return unit ? 1 : weight_of(logit, max, per_degree);
  }
};

/// Adds the weights of a warp's lanes to their bins. Most logits share few leading digits: lanes of
/// one bin are summed before they add, for as many bins as that is worth it. All lanes call it.
__device__ __forceinline__ void add_to_bins(bool has, unsigned bin, std::uint64_t weight) {
  constexpr int kRounds = 4;
  const int lane = static_cast<int>(threadIdx.x % 32);
  const auto add = [](unsigned to, std::uint64_t sum) {
    atomicAdd(reinterpret_cast<unsigned long long*>(&shared().bins[to]),
              static_cast<unsigned long long>(sum));
  };
  unsigned left = __ballot_sync(kAllLanes, has);
  for (int round = 0; round < kRounds && left != 0; ++round) {
    const int leader = __popc((left & (~left + 1)) - 1);
    const unsigned chosen = __shfl_sync(kAllLanes, bin, leader);
    const bool mine = has && bin == chosen;
    std::uint64_t sum = mine ? weight : 0;
    for (int lanes = 16; lanes >= 1; lanes /= 2) sum += __shfl_xor_sync(kAllLanes, sum, lanes);
    if (lane == leader) add(chosen, sum);
    left &= ~__ballot_sync(kAllLanes, mine);
    has = has && !mine;
  }
  if (has) add(bin, weight);
}

/// The smallest prefix inside `outer` whose weights sum to at least `target`, digit by digit from
/// the top. REQUIRES: 0 < target <= the sum over `outer`.
__device__ Prefix select(const float* logits, int vocab, const Weights& weights,
                         std::uint64_t target, const Prefix& outer) {
  Shared& s = shared();
  const int thread = static_cast<int>(threadIdx.x);
  unsigned known = 0;  // digits found so far
  unsigned mask = 0;
  std::uint64_t above = 0;  // weight of all keys above the known digits
  for (int shift = 24; shift >= 0; shift -= 8) {
    for (int i = thread; i < kBins; i += kThreads) s.bins[i] = 0;
    __syncthreads();
    for (int first = 0; first < vocab; first += kThreads) {
      const int id = first + thread;
      const float logit = id < vocab ? logits[id] : 0.0F;
      const unsigned key = key_of(logit);
      const bool counts = id < vocab && (key & mask) == known && key >= outer.key;
      const std::uint64_t weight = counts ? weights(logit) : 0;
      add_to_bins(weight != 0, key >> shift & 255U, weight);
    }
    __syncthreads();
    if (thread == 0) {
      int digit = kBins - 1;
      std::uint64_t sum = above;
      while (digit > 0 && sum + s.bins[digit] < target) sum += s.bins[digit--];
      s.found[0] = static_cast<std::uint64_t>(digit);
      s.found[1] = sum;
    }
    __syncthreads();
    known |= static_cast<unsigned>(s.found[0]) << shift;
    mask |= 255U << shift;
    above = s.found[1];
    __syncthreads();
  }
  const unsigned bits = (known & 0x80000000U) != 0 ? known & 0x7FFFFFFFU : ~known;
  const std::uint64_t each = weights(__uint_as_float(bits));
  return {known, each == 0 ? 0 : (target - above + each - 1) / each};
}

/// The ids of a thread: consecutive, so that prefix sums over threads are in id order.
struct Segment {
  int begin;
  int end;
};
__device__ __forceinline__ Segment segment(int vocab) {
  const int each = (vocab + kThreads - 1) / kThreads;
  const int begin = static_cast<int>(threadIdx.x) * each;
  const int end = begin + each;
  return {begin < vocab ? begin : vocab, end < vocab ? end : vocab};
}

/// Equal keys before this thread's segment.
__device__ std::uint64_t equals_before(const float* logits, const Segment& mine, unsigned key) {
  std::uint64_t count = 0;
  for (int id = mine.begin; id < mine.end; ++id) count += key_of(logits[id]) == key ? 1 : 0;
  std::uint64_t total = 0;
  return exclusive_scan(count, &total);
}

/// Weight of the ids of the segment that are in `prefix` and not below `least`; with `target`, the
/// first id at which the running sum, from `before`, exceeds it.
struct Walk {
  std::uint64_t sum;
  int id;
};
__device__ Walk walk(const float* logits, const Segment& mine, const Weights& weights,
                     const Prefix& prefix, std::uint64_t rank, std::uint64_t least,
                     std::uint64_t before, std::uint64_t target) {
  Walk out{before, -1};
  for (int id = mine.begin; id < mine.end; ++id) {
    const unsigned key = key_of(logits[id]);
    if (key < prefix.key) continue;
    if (key == prefix.key && rank++ >= prefix.equal) continue;
    const std::uint64_t weight = weights(logits[id]);
    if (weight < least) continue;
    out.sum += weight;
    if (out.id < 0 && out.sum > target) out.id = id;
  }
  return out;
}

__device__ int draw_token(const float* logits, int vocab, const LogitAsk& ask, float max) {
  Shared& s = shared();
  const Weights weights{max, ask.per_degree, false};
  const Weights units{max, ask.per_degree, true};
  const Segment mine = segment(vocab);
  constexpr std::uint64_t kNever = ~std::uint64_t{0};
  Prefix kept;
  std::uint64_t rank = 0;
  if (ask.top_k > 0 && ask.top_k < vocab) {
    kept = select(logits, vocab, units, static_cast<std::uint64_t>(ask.top_k), kept);
    rank = equals_before(logits, mine, kept.key);
  }
  if (ask.top_p < 1.0) {
    const Walk part = walk(logits, mine, weights, kept, rank, 0, 0, kNever);
    std::uint64_t total = 0;
    (void)exclusive_scan(part.sum, &total);
    const double wanted = ask.top_p * static_cast<double>(total);
    std::uint64_t target = static_cast<std::uint64_t>(wanted);
    if (static_cast<double>(target) < wanted) ++target;
    if (target < 1) target = 1;
    if (target > total) target = total;
    kept = select(logits, vocab, weights, target, kept);
    rank = equals_before(logits, mine, kept.key);
  }
  const auto least =
      static_cast<std::uint64_t>(static_cast<double>(ask.min_p) * static_cast<double>(kWeightUnit));
  const Walk part = walk(logits, mine, weights, kept, rank, least, 0, kNever);
  std::uint64_t total = 0;
  const std::uint64_t before = exclusive_scan(part.sum, &total);
  const std::uint64_t target = (total >> 24) * ask.draw + (((total & 0xFFFFFFU) * ask.draw) >> 24);
  if (threadIdx.x == 0) s.flag = -1;
  __syncthreads();
  if (before <= target && target < before + part.sum) {
    s.flag = walk(logits, mine, weights, kept, rank, least, before, target).id;
  }
  __syncthreads();
  return s.flag;
}

/// Maximum, its lowest id, and whether all values are finite; the same in all threads.
__device__ bool find_max(const float* logits, int vocab) {
  Shared& s = shared();
  const int thread = static_cast<int>(threadIdx.x);
  unsigned top = 0;
  int at = vocab;
  bool bad = false;
#pragma unroll 8
  for (int id = thread; id < vocab; id += kThreads) {
    const float value = logits[id];
    bad = bad || (__float_as_uint(value) & 0x7F800000U) == 0x7F800000U;
    const unsigned key = key_of(value);
    if (key > top) {
      top = key;
      at = id;
    }
  }
  for (int lanes = 16; lanes >= 1; lanes /= 2) {
    const unsigned key = __shfl_xor_sync(kAllLanes, top, lanes);
    const int id = __shfl_xor_sync(kAllLanes, at, lanes);
    if (key > top || (key == top && id < at)) {
      top = key;
      at = id;
    }
  }
  const unsigned any_bad = __ballot_sync(kAllLanes, bad);
  if (thread == 0) s.flag = 0;
  __syncthreads();
  if (thread % 32 == 0) {
    s.scan[thread / 32] = static_cast<std::uint64_t>(top) << 32 | static_cast<unsigned>(vocab - at);
    if (any_bad != 0) s.flag = 1;
  }
  __syncthreads();
  if (thread == 0) {
    std::uint64_t best = 0;
    for (int warp = 0; warp < kWarps; ++warp) best = s.scan[warp] > best ? s.scan[warp] : best;
    s.argmax = vocab - static_cast<int>(best & 0xFFFFFFFFU);
    s.max = s.flag != 0 ? 0.0F : logits[s.argmax];
  }
  __syncthreads();
  return s.flag == 0;
}

/// Sum of exponentials in the CPU's order: 128 at a time in FP32, in 16 lanes; the tiles in FP64.
__device__ double sum_exponentials(const float* logits, int vocab, float max) {
  Shared& s = shared();
  const int thread = static_cast<int>(threadIdx.x);
  const int tiles = (vocab + kTile - 1) / kTile;
  const float kNothing = __uint_as_float(0xFF800000U);
  // A half warp takes a tile.
  for (int first = 0; first < tiles; first += kThreads / 16) {
    const int tile = first + thread / 16;
    float sum = 0.0F;
    for (int i = thread % 16; i < kTile; i += 16) {
      const int id = tile * kTile + i;
      const int end = (vocab - tile * kTile + 15) / 16 * 16;
      if (i >= end) break;
      const float logit = id < vocab ? logits[id] : kNothing;
      sum = __fadd_rn(sum, exp2_exact(__fmul_rn(__fadd_rn(logit, -max), kLog2E)));
    }
    sum = sum_16_lanes(sum);
    if (thread % 16 == 0 && tile < tiles) s.tiles[tile] = sum;
  }
  __syncthreads();
  double total = 0;
  if (thread == 0) {
    for (int tile = 0; tile < tiles; ++tile) total += static_cast<double>(s.tiles[tile]);
  }
  return total;
}

/// Grid: rows. Block: 512 threads, one row. Dynamic shared memory: Shared and a float a tile.
__global__ void __launch_bounds__(kThreads) logits_kernel(const LogitsArgs args) {
  wait_for_inputs();
  let_next_start();
  Shared& s = shared();
  const std::int64_t row = blockIdx.x;
  const float* logits = args.logits + row * args.ld;
  const LogitAsk ask = args.asks[row];
  LogitAnswer answer{};
  answer.finite = find_max(logits, args.vocab) ? 1 : 0;
  answer.max = s.max;
  answer.argmax = s.argmax;
  answer.chosen = s.argmax;
  if (answer.finite != 0) {
    if (ask.wants_sum != 0) answer.sum = sum_exponentials(logits, args.vocab, answer.max);
    if (ask.samples != 0) {
      const int drawn = draw_token(logits, args.vocab, ask, answer.max);
      if (drawn >= 0) answer.chosen = drawn;
    }
  }
  if (threadIdx.x == 0) {
    answer.chosen_logit = answer.finite != 0 ? logits[answer.chosen] : 0.0F;
    args.answers[row] = answer;
  }
}

/// Grid: rows. Block: 512 threads, one row. Dynamic shared memory: Shared.
__global__ void __launch_bounds__(kThreads) top_logits_kernel(const TopLogitsArgs args) {
  wait_for_inputs();
  let_next_start();
  const std::int64_t row = blockIdx.x;
  const float* logits = args.logits + row * args.ld;
  const int count = args.counts[row];
  if (count <= 0) return;
  const Weights units{0.0F, 0.0F, true};
  const Prefix kept =
      select(logits, args.vocab, units, static_cast<std::uint64_t>(count), Prefix{});
  const Segment mine = segment(args.vocab);
  std::uint64_t rank = equals_before(logits, mine, kept.key);
  const Walk part = walk(logits, mine, units, kept, rank, 0, 0, ~std::uint64_t{0});
  std::uint64_t total = 0;
  std::uint64_t at = exclusive_scan(part.sum, &total);
  TopEntry* out = args.out + row * args.most;
  for (int id = mine.begin; id < mine.end; ++id) {
    const unsigned key = key_of(logits[id]);
    if (key < kept.key) continue;
    if (key == kept.key && rank++ >= kept.equal) continue;
    out[at++] = {id, logits[id]};
  }
}

/// Grid: any. Block: 128 threads, a value each.
__global__ void gather_logits_kernel(const GatherLogitsArgs args) {
  wait_for_inputs();
  let_next_start();
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < args.count) {
    args.out[i] = args.logits[static_cast<std::int64_t>(args.rows[i]) * args.ld + args.ids[i]];
  }
}

}  // namespace

void logits_cuda(CudaStream stream, const LogitsArgs& args) {
  ASSAY_CHECK(args.vocab > 0 && args.vocab <= 3 << 16, "vocabulary of a row of logits");
  if (args.rows == 0) return;
  launch(stream,
         {.name = "logits",
          .grid_x = static_cast<unsigned>(args.rows),
          .threads = kThreads,
          .shared_bytes = shared_bytes(args.vocab),
          .early = true},
         logits_kernel, args);
}

void top_logits_cuda(CudaStream stream, const TopLogitsArgs& args) {
  if (args.rows == 0) return;
  launch(stream,
         {.name = "top_logits",
          .grid_x = static_cast<unsigned>(args.rows),
          .threads = kThreads,
          .shared_bytes = shared_bytes(0),
          .early = true},
         top_logits_kernel, args);
}

void gather_logits_cuda(CudaStream stream, const GatherLogitsArgs& args) {
  if (args.count == 0) return;
  constexpr unsigned kBlockThreads = 128;
  launch(stream,
         {.name = "gather_logits",
          .grid_x = (static_cast<unsigned>(args.count) + kBlockThreads - 1) / kBlockThreads,
          .threads = kBlockThreads,
          .early = true},
         gather_logits_kernel, args);
}

}  // namespace assay::engine
