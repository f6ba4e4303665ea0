#include "engine/roofline.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>

#include "engine/ops/cpu_kernels.h"
#include "engine/ops/memory.h"
#include "engine/parallel/thread_team.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace assay::engine {
namespace {

constexpr std::size_t kBlockBytes = std::size_t{256} << 20;  // read; copied to one of equal size
constexpr int kPasses = 5;
constexpr std::int64_t kChainSteps = 2'000'000;  // of each accumulator in a pass
constexpr std::int64_t kProbeSteps = 200'000;
constexpr int kProbeLoops = 1000;
constexpr int kChains = 12;  // hide the latency of 4 cycles on 2 units, and more

/// Each step is kChains fused multiply-adds of `width` values. Returns floating-point operations.
double fma_portable(std::int64_t steps) {
  float sums[kChains];
  for (float& sum : sums) sum = 1;
  const float scale = 0.999F;
  for (std::int64_t i = 0; i < steps; ++i) {
#pragma GCC unroll 12
    for (float& sum : sums) sum = sum * scale + scale;
    __asm__ volatile("" : : "g"(&sums[0]) : "memory");
  }
  return 2.0 * kChains * static_cast<double>(steps);
}

#if defined(__x86_64__)
__attribute__((target("avx2,fma"))) double fma_avx2(std::int64_t steps) {
  __m256 sums[kChains];
  for (__m256& sum : sums) sum = _mm256_set1_ps(1);
  const __m256 scale = _mm256_set1_ps(0.999F);
  for (std::int64_t i = 0; i < steps; ++i) {
#pragma GCC unroll 12
    for (__m256& sum : sums) sum = _mm256_fmadd_ps(sum, scale, scale);
#pragma GCC unroll 12
    for (__m256& sum : sums) __asm__ volatile("" : "+x"(sum));  // kept alive without a store
  }
  return 2.0 * 8 * kChains * static_cast<double>(steps);
}

__attribute__((target("avx512f"))) double fma_avx512(std::int64_t steps) {
  __m512 sums[kChains];
  for (__m512& sum : sums) sum = _mm512_set1_ps(1);
  const __m512 scale = _mm512_set1_ps(0.999F);
  for (std::int64_t i = 0; i < steps; ++i) {
#pragma GCC unroll 12
    for (__m512& sum : sums) sum = _mm512_fmadd_ps(sum, scale, scale);
#pragma GCC unroll 12
    for (__m512& sum : sums) __asm__ volatile("" : "+v"(sum));
  }
  return 2.0 * 16 * kChains * static_cast<double>(steps);
}

__attribute__((target("avx512f,avx512bf16"))) double dot_bf16(std::int64_t steps) {
  __m512 sums[kChains];
  for (__m512& sum : sums) sum = _mm512_set1_ps(1);
  const __m512bh ones = _mm512_cvtne2ps_pbh(_mm512_set1_ps(1e-3F), _mm512_set1_ps(1e-3F));
  for (std::int64_t i = 0; i < steps; ++i) {
#pragma GCC unroll 12
    for (__m512& sum : sums) sum = _mm512_dpbf16_ps(sum, ones, ones);
#pragma GCC unroll 12
    for (__m512& sum : sums) __asm__ volatile("" : "+v"(sum));
  }
  return 2.0 * 32 * kChains * static_cast<double>(steps);
}
#endif

using Chain = double (*)(std::int64_t steps);

/// By the engine's own choice of kernels, so that the bound is that of the instructions it uses.
Chain fma_chain() {
#if defined(__x86_64__)
  const std::string name = cpu_kernels().name;
  if (name == "avx512") return fma_avx512;
  if (name == "avx2") return fma_avx2;
#endif
  return fma_portable;
}

Chain bf16_chain() {
#if defined(__x86_64__)
  if (std::string(cpu_kernels().name) == "avx512") return dot_bf16;
#endif
  return nullptr;
}

/// Units a second of the best pass; `work(thread)` returns the units it did.
template <typename Work>
double best_rate(ThreadTeam& team, Work work) {
  double best = 0;
  for (int pass = 0; pass <= kPasses; ++pass) {
    std::vector<double> units(static_cast<std::size_t>(team.size()));
    const auto start = std::chrono::steady_clock::now();
    team.run(team.size(), [&](std::int64_t task, int /*thread*/) {
      units[static_cast<std::size_t>(task)] = work(task);
    });
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    double sum = 0;
    for (const double value : units) sum += value;
    if (pass > 0) best = std::max(best, sum / took.count());  // the first one is a warm-up
  }
  return best;
}

/// A cache line, read in as few instructions as the base instruction set has.
using Line = std::uint64_t __attribute__((vector_size(64)));

}  // namespace

double Roofline::most_flops_per_s() const {
  return std::max({fp32_flops_per_s, bf16_flops_per_s, fp8_flops_per_s});
}

std::uint64_t read_block(std::span<const std::byte> block) {
  const Line* line = reinterpret_cast<const Line*>(block.data());
  const Line* const end = line + block.size() / sizeof(Line);
  Line sums[4] = {};
  for (; line < end; line += 4) {
    for (int i = 0; i < 4; ++i) {
      __builtin_prefetch(line + 64 + i);
      sums[i] ^= line[i];
    }
  }
  const Line all = (sums[0] ^ sums[1]) ^ (sums[2] ^ sums[3]);
  return all[0] ^ all[7];
}

namespace {

/// Each of the team's threads reads its share of `block`; bytes a second.
double read_rate(ThreadTeam& team, std::span<const std::byte> block) {
  const std::size_t share = block.size() / static_cast<std::size_t>(team.size()) / 4096 * 4096;
  std::atomic<std::uint64_t> sink{0};
  return best_rate(team, [&](std::int64_t task) {
    sink += read_block(block.subspan(static_cast<std::size_t>(task) * share, share));
    return static_cast<double>(share);
  });
}

/// Empty loops a second: what it costs to hand work over and to know that it is done.
double loop_rate(ThreadTeam& team) {
  double best = 0;
  for (int pass = 0; pass < kPasses; ++pass) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < kProbeLoops; ++i) {
      team.run(team.size(), [](std::int64_t /*task*/, int /*thread*/) {});
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    best = std::max(best, kProbeLoops / took.count());
  }
  return best;
}

}  // namespace

struct SpeedProbe::State {
  explicit State(int threads) : team(threads, 0), block(kBlockBytes) {
    std::memset(block.data(), 1, kBlockBytes);
  }
  ThreadTeam team;
  LargeBuffer block;
};

SpeedProbe::SpeedProbe(int threads) : state_(std::make_unique<State>(threads)) {}
SpeedProbe::~SpeedProbe() = default;

MachineSpeed SpeedProbe::measure() {
  MachineSpeed out;
  out.read_bytes_per_s = read_rate(state_->team, {state_->block.data(), kBlockBytes});
  out.flops_per_s =
      best_rate(state_->team, [chain = fma_chain()](std::int64_t) { return chain(kProbeSteps); });
  if (state_->team.size() > 1) out.loops_per_s = loop_rate(state_->team);
  return out;
}

Roofline measure_cpu_roofline(int threads) {
  Roofline out{.device = "cpu", .threads = threads};
  ThreadTeam team(threads, 0);
  LargeBuffer from(kBlockBytes);
  LargeBuffer to(kBlockBytes);
  std::memset(from.data(), 1, kBlockBytes);
  std::memset(to.data(), 1, kBlockBytes);
  const std::size_t share = kBlockBytes / static_cast<std::size_t>(threads) / 4096 * 4096;
  out.read_bytes_per_s = read_rate(team, {from.data(), kBlockBytes});
  out.copy_bytes_per_s = best_rate(team, [&](std::int64_t task) {
    const std::size_t begin = static_cast<std::size_t>(task) * share;
    std::memcpy(to.data() + begin, from.data() + begin, share);
    return 2 * static_cast<double>(share);
  });
  out.fp32_flops_per_s =
      best_rate(team, [chain = fma_chain()](std::int64_t) { return chain(kChainSteps); });
  if (const Chain chain = bf16_chain(); chain != nullptr) {
    out.bf16_flops_per_s = best_rate(team, [chain](std::int64_t) { return chain(kChainSteps); });
  }
  return out;
}

}  // namespace assay::engine
