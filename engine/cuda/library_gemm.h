// Matrix products by cuBLASLt, loaded at run time: the oracle of the other kinds, and a choice for
// architectures whose own kernels are plain. Its algorithm depends on the number of tokens, so bits
// may depend on the batch.
#pragma once

#include <cstdint>
#include <functional>
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
  /// Shards are a batch whose sums are `parts` equal to w.shards, in kParts. The first product of a
  /// shape must not be captured into a graph: ways and algorithms are timed. REQUIRES: not empty
  /// library_scalings(args) (engine/cuda/library_scaling.h).
  virtual void run(CudaStream stream, const DeviceGemmArgs& args) = 0;
};

struct LibraryGemmOptions {
  std::string device;  // its name, a key of the file in which choices are kept
  int capability = 0;
  /// Competes with the library's algorithms; may be empty.
  std::function<void(CudaStream, const DeviceGemmArgs&)> own;
};
/// Throws: Error(kEnvironment) when no library is found, naming where was looked.
std::unique_ptr<LibraryGemm> make_library_gemm(LibraryGemmOptions options);

}  // namespace assay::engine
