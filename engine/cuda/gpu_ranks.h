// A model whose ranks have a GPU each: those of this process, one thread a GPU. Other processes may
// hold more ranks of the same model.
#pragma once

#include <memory>

#include "engine/cuda/cuda_executor.h"

namespace assay::engine {

/// `gpus` ranks from options.first_rank on, on devices options.device and following, with
/// options.nccl_id. Every process runs the same batches at once; results are those of its first
/// rank, the same on all. A rank that fails ends the waiting of the others here.
/// Throws: as make_cuda_executor.
std::unique_ptr<CudaExecutor> make_gpu_ranks(const ModelConfig& config, const WeightSource& source,
                                             const PrecisionSetting& setting, KvType kv,
                                             const CudaOptions& options, const CudaPlan& plan,
                                             int gpus, int threads);

}  // namespace assay::engine
