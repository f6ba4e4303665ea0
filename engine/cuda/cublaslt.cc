#include "engine/cuda/cublaslt.h"

#include <dlfcn.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "base/error.h"
#include "engine/cuda/library_gemm.h"

namespace assay::engine {
namespace {

template <typename Function>
void find(void* handle, const char* name, Function& out) {
  out = reinterpret_cast<Function>(dlsym(handle, name));
  if (out == nullptr) throw_environment("cuBLASLt has no function {}; version 13 is wanted", name);
}

}  // namespace

CublasLt load_cublaslt() {
  std::vector<std::string> prefixes;
  for (const char* name : {"CUDA_HOME", "CUDA_PATH", "VIRTUAL_ENV"}) {
    if (const char* value = std::getenv(name); value != nullptr) prefixes.emplace_back(value);
  }
  if (const char* home = std::getenv("HOME"); home != nullptr) {
    prefixes.push_back(std::string(home) + "/.local");
  }
  for (const char* prefix : {"/usr/local/cuda", "/usr/local", "/usr"})
    prefixes.emplace_back(prefix);
  const std::vector<std::string> files = cublaslt_candidates(prefixes);
  void* handle = nullptr;
  std::string tried;
  for (const std::string& file : files) {
    handle = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle != nullptr) break;
    tried += (tried.empty() ? "" : ", ") + file;
  }
  if (handle == nullptr) {
    throw_environment(
        "cuBLASLt 13 is not here (looked for {}); install the CUDA 13 toolkit or the wheel "
        "nvidia-cublas, or name the file in ASSAY_CUBLASLT",
        tried);
  }
  CublasLt out{};
  find(handle, "cublasLtCreate", out.create);
  find(handle, "cublasLtGetVersion", out.version);
  find(handle, "cublasLtMatmul", out.matmul);
  find(handle, "cublasLtMatmulAlgoGetHeuristic", out.heuristic);
  find(handle, "cublasLtMatmulAlgoCheck", out.check);
  find(handle, "cublasLtMatmulDescInit_internal", out.describe);
  find(handle, "cublasLtMatmulDescSetAttribute", out.set_operation);
  find(handle, "cublasLtMatrixLayoutInit_internal", out.layout);
  find(handle, "cublasLtMatrixLayoutSetAttribute", out.set_layout);
  find(handle, "cublasLtMatmulPreferenceInit_internal", out.preference);
  find(handle, "cublasLtMatmulPreferenceSetAttribute", out.set_preference);
  return out;
}

}  // namespace assay::engine
