#include "engine/cuda/gemm_runner.h"

#include <algorithm>

#include "base/error.h"

namespace assay::engine {
namespace {

// Up to this many tokens each node of the shard tree is a work item of its own: few tokens give too
// few tiles for a whole device.
struct PartsRow {
  int tokens;
  int parts;
};
constexpr PartsRow kParts[] = {{64, 8}, {128, 4}, {256, 2}};

}  // namespace

std::int64_t most_part_rows(std::int64_t max_rows) {
  std::int64_t most = max_rows;
  for (const PartsRow& row : kParts) {
    most = std::max<std::int64_t>(most, std::min<std::int64_t>(row.tokens, max_rows) * row.parts);
  }
  return most;
}

GemmKind default_gemm_kind(const DeviceLimits& /*device*/) { return GemmKind::kMma; }

GemmRunner::GemmRunner(GemmKind kind, const DeviceLimits& device) : kind_(kind), device_(device) {}
GemmRunner::~GemmRunner() = default;

int GemmRunner::parts(const DeviceMatrix& w, int tokens) const {
  if (kind_ == GemmKind::kMma) return tokens <= kParts[0].tokens ? w.shards : 1;
  for (const PartsRow& row : kParts) {
    if (tokens <= row.tokens) return std::min(row.parts, w.shards);
  }
  return 1;
}

void GemmRunner::run(CudaStream stream, const DeviceGemmArgs& args) {
  if (kind_ == GemmKind::kMma) return gemm_mma_cuda(stream, args);
  gemm_exact_cuda(stream, args);
}

}  // namespace assay::engine
