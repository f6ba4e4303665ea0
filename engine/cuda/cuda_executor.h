// An Executor on one CUDA device.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/executor.h"
#include "engine/model.h"
#include "engine/model_config.h"
#include "engine/settings.h"

namespace assay::engine {

class PeerGroup;

/// What decides memory and arithmetic. "" and 0 are the device's defaults.
struct CudaOptions {
  int device = 0;
  std::string gemm;            // a name of engine/ops/device_gemm.h
  std::string attention;       // "exact" or "tensor"
  std::int64_t max_rows = 0;   // tokens of one step
  std::int64_t max_batch = 0;  // sequences at once
  std::int64_t context = 0;    // tokens of the longest sequence
  bool graphs = true;          // replay captured decode steps
  bool ahead = true;           // take a step while the one before it runs
  // Tensor parallelism: ranks [first_rank, first_rank + ranks_here) of `ranks` are on this device,
  // all of them (virtual ranks) or one. One of several needs nccl_id, the group's name.
  int ranks = 1;
  int first_rank = 0;
  int ranks_here = 1;
  RowSums sums = RowSums::kEighths;
  std::string nccl_id;
  bool peer_sums = false;      // make_gpu_ranks: small sums by kernels over peers' memory
  PeerGroup* peers = nullptr;  // small sums without NCCL, among the GPUs of this process; or null
};

/// Memory of the device as it will be used, by all ranks on it.
struct CudaPlan {
  std::string device;
  std::int64_t free_bytes = 0;
  std::int64_t weight_bytes = 0;
  std::int64_t activation_bytes = 0;
  std::int64_t page_bytes = 0;
  std::int64_t pages = 0;
  std::int64_t context = 0;
  std::int64_t max_batch = 0;
  std::int64_t max_rows = 0;
};

/// Starts the device and divides its memory. Throws: Error(kInput) for an unusable option,
/// Error(kEnvironment) when there is no usable device or the model does not fit.
CudaPlan plan_cuda(const ModelConfig& config, const WeightSource& source,
                   const PrecisionSetting& setting, KvType kv, const CudaOptions& options);

/// The same from known free memory: the pure part of it.
CudaPlan divide_memory(const ModelConfig& config, const WeightSource& source,
                       const PrecisionSetting& setting, KvType kv, const CudaOptions& options,
                       std::int64_t free_bytes);

/// What a run stores about an executor.
struct CudaDescription {
  std::string device;      // "NVIDIA H200"
  std::string arithmetic;  // equal ids give equal bits
  std::int64_t weight_bytes = 0;
};

class CudaExecutor : public Executor {
 public:
  [[nodiscard]] virtual CudaDescription description() const = 0;
  /// A rank elsewhere is lost: a run that waits for it ends with an error. From any thread.
  virtual void abort() noexcept {}
};

/// Loads the model and makes the buffers of `plan`. `threads` host threads read the weights. Of
/// several ranks each with its device, every one runs the same batches at once; all have the
/// results.
/// Throws: Error(kEnvironment).
std::unique_ptr<CudaExecutor> make_cuda_executor(const ModelConfig& config,
                                                 const WeightSource& source,
                                                 const PrecisionSetting& setting, KvType kv,
                                                 const CudaOptions& options, const CudaPlan& plan,
                                                 int threads);

/// True when this build has the CUDA backend and the machine a device that it runs on.
bool cuda_usable();

}  // namespace assay::engine
