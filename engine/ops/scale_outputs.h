// The end of a product whose kernel cannot apply scales: cuBLASLt's.
#pragma once

#include "engine/cuda/runtime.h"
#include "engine/ops/device_gemm.h"

namespace assay::engine {

/// In place on args.out. kBf16, kFloat: times the token's scale and the row's, plus the bias (one
/// shard). kParts: each part times the token's scale of its shard; args.parts == args.w.shards.
void scale_outputs_cuda(CudaStream stream, const DeviceGemmArgs& args);

}  // namespace assay::engine
