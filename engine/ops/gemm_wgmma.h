// The Hopper family of matrix products (engine/ops/device_gemm.h, GemmKind::kWgmma).
#pragma once

#include <cstdint>
#include <map>
#include <tuple>

#include "engine/cuda/runtime.h"
#include "engine/ops/device_gemm.h"

namespace assay::engine {

/// Tensor maps by matrix: made once, since weights and activations have fixed places.
class TensorMaps {
 public:
  const TensorMap& find(const void* base, std::int64_t rows, std::int64_t row_bytes,
                        std::int64_t box_rows) {
    const auto key = std::tuple(base, rows, row_bytes, box_rows);
    const auto found = maps_.find(key);
    if (found != maps_.end()) return found->second;
    return maps_.emplace(key, make_tensor_map(base, rows, row_bytes, box_rows)).first->second;
  }

 private:
  std::map<std::tuple<const void*, std::int64_t, std::int64_t, std::int64_t>, TensorMap> maps_;
};

/// How blocks work together, which changes no bit.
struct WgmmaOptions {
  bool pairs = pairs_of_blocks();  // neighbouring blocks share what they read
  bool fold = folding_clusters();  // with few tokens a cluster folds the shards of a tile
  bool wide = wide_tiles();        // tiles of 192 tokens where they are the better ones
  int multiprocessors = 132;       // of the device
};

/// E4M3 weights take E4M3 activations here, BF16 weights BF16 ones.
bool gemm_wgmma_fits(const DeviceGemmArgs& args);
/// REQUIRES: a device of capability 9.0, gemm_wgmma_fits(args). E4M3: within 2^-10 of the sum of
/// magnitudes of each 128 products; BF16: the bits of gemm_mma_cuda.
void gemm_wgmma_cuda(CudaStream stream, const DeviceGemmArgs& args, TensorMaps& maps,
                     const WgmmaOptions& options = {});

}  // namespace assay::engine
