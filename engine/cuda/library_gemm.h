// Matrix products by cuBLASLt, loaded at run time: the oracle of the other kinds, and a choice for
// architectures whose own kernels are plain. Its algorithm depends on the number of tokens, so bits
// may depend on the batch.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/cuda/runtime.h"
#include "engine/ops/device_gemm.h"

namespace assay::engine {

/// Files that may be libcublasLt.so.13, best first: ASSAY_CUBLASLT, what the loader finds by name,
/// the toolkit's folder, Python wheels (nvidia/cu13, nvidia/cublas) below the prefixes.
std::vector<std::string> cublaslt_candidates(const std::vector<std::string>& prefixes);

class LibraryGemm {
 public:
  LibraryGemm();
  virtual ~LibraryGemm();
  LibraryGemm(const LibraryGemm&) = delete;
  LibraryGemm& operator=(const LibraryGemm&) = delete;
  LibraryGemm(LibraryGemm&&) = delete;
  LibraryGemm& operator=(LibraryGemm&&) = delete;
  /// FP8 and BF16 operands of one type; shards are a batch whose sums are `parts` equal to
  /// w.shards, in kParts. Not to be captured into a graph: a new shape is timed first.
  virtual void run(CudaStream stream, const DeviceGemmArgs& args) = 0;
};

/// `device`: its name, a key of the file in which chosen algorithms are kept.
/// Throws: Error(kEnvironment) when no library is found, naming where was looked.
std::unique_ptr<LibraryGemm> make_library_gemm(const std::string& device);

}  // namespace assay::engine
