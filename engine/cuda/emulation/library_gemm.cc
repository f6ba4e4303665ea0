// Without the CUDA toolkit's header the host emulation has no cuBLASLt.
#include "engine/cuda/library_gemm.h"

#include "base/error.h"

namespace assay::engine {

std::unique_ptr<LibraryGemm> make_library_gemm(LibraryGemmOptions /*options*/) {
  throw_environment("the host emulation has no cuBLASLt");
}

}  // namespace assay::engine
