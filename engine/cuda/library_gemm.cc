#include "engine/cuda/library_gemm.h"

#include <cublasLt.h>
#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <map>
#include <vector>

#include "base/check.h"
#include "base/error.h"
#include "engine/cuda/algorithm_cache.h"
#include "engine/ops/scale_outputs.h"

namespace assay::engine {
namespace {

constexpr std::size_t kWorkspace = std::size_t{32} << 20;
constexpr int kCandidates = 8;  // algorithms that are timed for a new shape
constexpr int kTimedRuns = 3;

/// The functions of the library that are used.
struct Library {
  decltype(&cublasLtCreate) create;
  decltype(&cublasLtGetVersion) version;
  decltype(&cublasLtMatmul) matmul;
  decltype(&cublasLtMatmulAlgoGetHeuristic) heuristic;
  decltype(&cublasLtMatmulAlgoCheck) check;
  decltype(&cublasLtMatmulDescInit_internal) describe;
  decltype(&cublasLtMatmulDescSetAttribute) set_operation;
  decltype(&cublasLtMatrixLayoutInit_internal) layout;
  decltype(&cublasLtMatrixLayoutSetAttribute) set_layout;
  decltype(&cublasLtMatmulPreferenceInit_internal) preference;
  decltype(&cublasLtMatmulPreferenceSetAttribute) set_preference;
};

template <typename Function>
void find(void* handle, const char* name, Function& out) {
  out = reinterpret_cast<Function>(dlsym(handle, name));
  if (out == nullptr) throw_environment("cuBLASLt has no function {}; version 13 is wanted", name);
}

Library load_library() {
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
  Library out{};
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

/// The library is column-major: its A is W (transposed), its B the tokens, its D the outputs.
struct Problem {
  cublasLtMatmulDescOpaque_t operation{};
  cublasLtMatrixLayoutOpaque_t w{};
  cublasLtMatrixLayoutOpaque_t a{};
  cublasLtMatrixLayoutOpaque_t d{};
};

class Implementation : public LibraryGemm {
 public:
  explicit Implementation(const std::string& device)
      : library_(load_library()),
        workspace_(kWorkspace, "cuBLASLt"),
        cache_(cache_file("cublaslt.txt")) {
    check(library_.create(&handle_), "start");
    prefix_ = fmt::format("{}/{}/", device, library_.version());
    std::replace(prefix_.begin(), prefix_.end(), ' ', '_');
  }

  void run(CudaStream stream, const DeviceGemmArgs& args) override {
    ASSAY_CHECK(args.a_is_e4m3 == (args.w.type == WeightType::kE4m3), "operands of one type");
    ASSAY_CHECK(args.kind == GemmOut::kParts ? args.parts == args.w.shards : args.w.shards == 1,
                "a part for each shard");
    if (args.tokens == 0) return;
    Problem problem = make_problem(args);
    const std::string key = key_of(args);
    auto found = chosen_.find(key);
    if (found == chosen_.end()) {
      found = chosen_.emplace(key, choose(stream, args, problem, key)).first;
    }
    check(multiply(stream, args, problem, found->second), "product");
    if (args.a_scale != nullptr || args.w.row_scale != nullptr || args.w.bias != nullptr) {
      scale_outputs_cuda(stream, args);
    }
  }

 private:
  static void check(cublasStatus_t status, const char* what) {
    if (status == CUBLAS_STATUS_SUCCESS) return;
    throw_environment("cuBLASLt: {} failed with status {}", what, static_cast<int>(status));
  }

  cublasLtMatrixLayoutOpaque_t layout(cudaDataType type, std::int64_t rows, std::int64_t columns,
                                      std::int64_t ld, int batch, std::int64_t stride) const {
    cublasLtMatrixLayoutOpaque_t out{};
    check(library_.layout(&out, sizeof(out), type, static_cast<std::uint64_t>(rows),
                          static_cast<std::uint64_t>(columns), ld),
          "layout");
    check(library_.set_layout(&out, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &batch, sizeof(batch)),
          "batch");
    check(library_.set_layout(&out, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &stride,
                              sizeof(stride)),
          "batch stride");
    return out;
  }

  Problem make_problem(const DeviceGemmArgs& args) const {
    Problem out;
    check(library_.describe(&out.operation, sizeof(out.operation), CUBLAS_COMPUTE_32F, CUDA_R_32F),
          "description");
    const cublasOperation_t transposed = CUBLAS_OP_T;
    check(library_.set_operation(&out.operation, CUBLASLT_MATMUL_DESC_TRANSA, &transposed,
                                 sizeof(transposed)),
          "description");
    const cudaDataType in = args.a_is_e4m3 ? CUDA_R_8F_E4M3 : CUDA_R_16BF;
    const cudaDataType to = args.kind == GemmOut::kBf16 ? CUDA_R_16BF : CUDA_R_32F;
    const std::int64_t k = args.w.shard_k;
    const std::int64_t inputs = args.w.inputs();
    out.w = layout(in, k, args.w.rows, inputs, args.w.shards, k);
    out.a = layout(in, k, args.tokens, inputs, args.w.shards, k);
    out.d = layout(to, args.w.rows, args.tokens, args.ldo, args.w.shards,
                   static_cast<std::int64_t>(args.tokens) * args.ldo);
    return out;
  }

  /// Token counts are rounded up to a power of two: one choice serves a range.
  std::string key_of(const DeviceGemmArgs& args) const {
    int bucket = 1;
    while (bucket < args.tokens) bucket *= 2;
    return fmt::format("{}{}x{}x{}/{}/{}/{}", prefix_, args.w.rows, args.w.shards, args.w.shard_k,
                       args.a_is_e4m3 ? "e4m3" : "bf16", static_cast<int>(args.kind), bucket);
  }

  cublasStatus_t multiply(CudaStream stream, const DeviceGemmArgs& args, Problem& problem,
                          const cublasLtMatmulAlgo_t& algorithm) const {
    const float one = 1.0F;
    const float zero = 0.0F;
    return library_.matmul(handle_, &problem.operation, &one, args.w.data, &problem.w, args.a,
                           &problem.a, &zero, args.out, &problem.d, args.out, &problem.d,
                           &algorithm, workspace_.as<void>(), kWorkspace,
                           reinterpret_cast<cudaStream_t>(stream));
  }

  std::optional<cublasLtMatmulAlgo_t> remembered(const std::string& key, Problem& problem) const {
    const auto bytes = cache_.find(key);
    cublasLtMatmulAlgo_t algorithm{};
    if (!bytes || bytes->size() != sizeof(algorithm)) return std::nullopt;
    std::memcpy(&algorithm, bytes->data(), sizeof(algorithm));
    cublasLtMatmulHeuristicResult_t result{};
    const cublasStatus_t status =
        library_.check(handle_, &problem.operation, &problem.w, &problem.a, &problem.d, &problem.d,
                       &algorithm, &result);
    if (status != CUBLAS_STATUS_SUCCESS || result.workspaceSize > kWorkspace) return std::nullopt;
    return algorithm;
  }

  /// The remembered algorithm, or the fastest of a few.
  cublasLtMatmulAlgo_t choose(CudaStream stream, const DeviceGemmArgs& args, Problem& problem,
                              const std::string& key) {
    if (const auto algorithm = remembered(key, problem)) return *algorithm;
    cublasLtMatmulPreferenceOpaque_t preference{};
    check(library_.preference(&preference, sizeof(preference)), "preference");
    check(library_.set_preference(&preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                  &kWorkspace, sizeof(kWorkspace)),
          "preference");
    std::array<cublasLtMatmulHeuristicResult_t, kCandidates> results{};
    int count = 0;
    check(library_.heuristic(handle_, &problem.operation, &problem.w, &problem.a, &problem.d,
                             &problem.d, &preference, kCandidates, results.data(), &count),
          "choice of an algorithm");
    if (count == 0) throw_environment("cuBLASLt has no algorithm for {}", key);
    int best = 0;
    float least = 0;
    for (int i = 0; i < count; ++i) {
      const float time = timed(stream, args, problem, results[static_cast<std::size_t>(i)].algo);
      if (i == 0 || (time > 0 && time < least)) {
        best = i;
        least = time;
      }
    }
    const cublasLtMatmulAlgo_t& algorithm = results[static_cast<std::size_t>(best)].algo;
    std::vector<unsigned char> bytes(sizeof(algorithm));
    std::memcpy(bytes.data(), &algorithm, sizeof(algorithm));
    cache_.add(key, bytes);
    return algorithm;
  }

  float timed(CudaStream stream, const DeviceGemmArgs& args, Problem& problem,
              const cublasLtMatmulAlgo_t& algorithm) const {
    if (multiply(stream, args, problem, algorithm) != CUBLAS_STATUS_SUCCESS) return 1e9F;
    Event begin;
    Event end;
    begin.record(stream);
    for (int i = 0; i < kTimedRuns; ++i) (void)multiply(stream, args, problem, algorithm);
    end.record(stream);
    end.wait();
    return end.since(begin);
  }

  Library library_;
  cublasLtHandle_t handle_ = nullptr;
  DeviceBuffer workspace_;
  AlgorithmCache cache_;
  std::string prefix_;
  std::map<std::string, cublasLtMatmulAlgo_t> chosen_;
};

}  // namespace

std::unique_ptr<LibraryGemm> make_library_gemm(const std::string& device) {
  return std::make_unique<Implementation>(device);
}

}  // namespace assay::engine
