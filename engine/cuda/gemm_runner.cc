#include "engine/cuda/gemm_runner.h"

#include <algorithm>

#include "base/error.h"
#include "engine/cuda/library_scaling.h"

namespace assay::engine {
namespace {

// Up to this many tokens each shard is a work item of its own, because few tokens give too few
// tiles for a whole device; Hopper's kernels fold them again (engine/ops/gemm_wgmma.cu).
constexpr int kFewTokens = 64;
constexpr std::int64_t kMostPartRows = 1024;  // parts x tokens of divided work with more tokens

/// Least time in units of a tile's whole sum: rounds over the multiprocessors, each a fraction of a
/// tile. What a part costs its consumer, who reads it in FP32, counts as 3 % for each doubling.
int best_parts(const DeviceMatrix& w, int tokens, int multiprocessors) {
  constexpr int kTile = 128;
  const std::int64_t tiles =
      static_cast<std::int64_t>((w.rows + kTile - 1) / kTile) * ((tokens + kTile - 1) / kTile);
  int best = 1;
  double least = 0;
  double price = 1;
  for (int parts = 1; parts <= w.shards; parts *= 2, price *= 1.03) {
    if (parts > 1 && static_cast<std::int64_t>(parts) * tokens > kMostPartRows) break;
    const std::int64_t rounds = (tiles * parts + multiprocessors - 1) / multiprocessors;
    const double time = static_cast<double>(rounds) / parts * price;
    if (parts > 1 && time >= least) continue;
    best = parts;
    least = time;
  }
  return best;
}

}  // namespace

std::int64_t most_part_rows(GemmKind kind, std::int64_t max_rows) {
  if (kind == GemmKind::kLibrary) return kShards * max_rows;
  return std::max(max_rows, std::min(kShards * max_rows, kMostPartRows));
}

GemmKind default_gemm_kind(const DeviceLimits& device) {
  return device.capability == 90 ? GemmKind::kWgmma : GemmKind::kMma;
}

GemmRunner::GemmRunner(GemmKind kind, const DeviceLimits& device) : kind_(kind), device_(device) {
  if (kind == GemmKind::kWgmma && device.capability != 90) {
    throw_input("matrix products of kind wgmma need compute capability 9.0, {} has {}.{}; use mma",
                device.name, device.capability / 10, device.capability % 10);
  }
  if (kind == GemmKind::kLibrary || kind == GemmKind::kFast) {
    LibraryGemmOptions options{.device = device.name, .capability = device.capability, .own = {}};
    if (kind == GemmKind::kFast) {
      options.own = [this](CudaStream stream, const DeviceGemmArgs& args) {
        run_own(stream, args);
      };
    }
    library_ = make_library_gemm(std::move(options));
  }
}
GemmRunner::~GemmRunner() = default;

int GemmRunner::parts(const DeviceMatrix& w, int tokens, bool a_is_e4m3) const {
  const bool mixed = !is_plain_product(w, a_is_e4m3);
  if (kind_ == GemmKind::kFast || (kind_ == GemmKind::kLibrary && !mixed)) return w.shards;
  // The plain kernels fold all shards in one block or none.
  const bool hopper = kind_ == GemmKind::kWgmma && !mixed;
  if (tokens <= kFewTokens) return hopper && folding_clusters() ? 1 : w.shards;
  if (!hopper) return 1;
  return best_parts(w, tokens, device_.multiprocessors);
}

void GemmRunner::run(CudaStream stream, const DeviceGemmArgs& args) {
  switch (kind_) {
    case GemmKind::kExact:
      return gemm_exact_cuda(stream, args);
    case GemmKind::kLibrary:
    case GemmKind::kFast:
      // It multiplies operands of one type.
      if (!library_scalings(args, device_.capability).empty()) return library_->run(stream, args);
      return gemm_mma_cuda(stream, args);
    case GemmKind::kWgmma:
    case GemmKind::kMma:
      return run_own(stream, args);
  }
}

/// E4M3 weights with BF16 activations (w8a16-fp8) are converted on the way, and scales of groups
/// stand between blocks of K: mma.sync does both.
void GemmRunner::run_own(CudaStream stream, const DeviceGemmArgs& args) {
  const bool hopper = kind_ != GemmKind::kMma && device_.capability == 90;
  if (hopper && is_plain_product(args.w, args.a_is_e4m3)) {
    return gemm_wgmma_cuda(stream, args, maps_, {.multiprocessors = device_.multiprocessors});
  }
  gemm_mma_cuda(stream, args);
}

}  // namespace assay::engine
