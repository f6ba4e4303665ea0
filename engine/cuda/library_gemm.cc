#include "engine/cuda/library_gemm.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <compare>
#include <cstring>
#include <map>
#include <optional>
#include <vector>

#include "base/check.h"
#include "base/error.h"
#include "engine/cuda/algorithm_cache.h"
#include "engine/cuda/cublaslt.h"
#include "engine/cuda/library_scaling.h"
#include "engine/ops/scale_outputs.h"
#include "engine/ops/transpose_scales.h"

namespace assay::engine {
namespace {

constexpr std::size_t kWorkspace = std::size_t{32} << 20;
constexpr std::size_t kCacheBytes = std::size_t{128} << 20;  // beyond what any device keeps on chip
constexpr int kCandidates = 8;  // algorithms that are timed for a new shape and scaling
constexpr int kTimedRuns = 3;

/// The library is column-major: its A is W (transposed), its B the tokens, its D the outputs.
struct Problem {
  cublasLtMatmulDescOpaque_t operation{};
  cublasLtMatrixLayoutOpaque_t w{};
  cublasLtMatrixLayoutOpaque_t a{};
  cublasLtMatrixLayoutOpaque_t d{};
};

/// What decides which way is the fastest.
struct ShapeKey {
  int rows, shards, shard_k;
  bool e4m3, scaled, blocks;
  GemmOut kind;
  int tokens;
  bool exact;  // tokens are this many; else up to as many, and more than half
  friend auto operator<=>(const ShapeKey&, const ShapeKey&) = default;
};

struct Choice {
  Scaling scaling = Scaling::kNone;
  cublasLtMatmulAlgo_t algorithm{};
};

class Implementation : public LibraryGemm {
 public:
  explicit Implementation(LibraryGemmOptions options)
      : options_(std::move(options)),
        library_(load_cublaslt()),
        workspace_(kWorkspace, "cuBLASLt"),
        cache_(cache_file("cublaslt.txt")) {
    check(library_.create(&handle_), "start");
    prefix_ =
        fmt::format("{}/{}/{}", options_.device, library_.version(), options_.own ? "own/" : "");
    std::replace(prefix_.begin(), prefix_.end(), ' ', '_');
  }

  void run(CudaStream stream, const DeviceGemmArgs& args) override {
    ASSAY_CHECK(args.kind == GemmOut::kParts ? args.parts == args.w.shards : args.w.shards == 1,
                "a part for each shard");
    if (args.tokens == 0) return;
    const auto exact = chosen_.find(key_of(args, true));
    if (exact != chosen_.end()) return check(execute(stream, args, exact->second), "product");
    if (execute(stream, args, choice_for(stream, args, false)) == CUBLAS_STATUS_SUCCESS) return;
    // The algorithm of a neighbouring number of tokens does not take this one.
    check(execute(stream, args, choice_for(stream, args, true)), "product");
  }

 private:
  static void check(cublasStatus_t status, const char* what) {
    if (status == CUBLAS_STATUS_SUCCESS) return;
    throw_environment("cuBLASLt: {} failed with status {}", what, static_cast<int>(status));
  }

  template <typename T>
  void set(cublasLtMatmulDescOpaque_t& operation, cublasLtMatmulDescAttributes_t attribute,
           const T& value) const {
    check(library_.set_operation(&operation, attribute, &value, sizeof(value)), "description");
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

  Problem make_problem(const DeviceGemmArgs& args, Scaling scaling) {
    Problem out;
    check(library_.describe(&out.operation, sizeof(out.operation), CUBLAS_COMPUTE_32F, CUDA_R_32F),
          "description");
    const cublasOperation_t transposed = CUBLAS_OP_T;
    set(out.operation, CUBLASLT_MATMUL_DESC_TRANSA, transposed);
    const cudaDataType in = args.a_is_e4m3 ? CUDA_R_8F_E4M3 : CUDA_R_16BF;
    const cudaDataType to = args.kind == GemmOut::kBf16 ? CUDA_R_16BF : CUDA_R_32F;
    const std::int64_t k = args.w.shard_k;
    const std::int64_t inputs = args.w.inputs();
    const std::int64_t tokens = library_tokens(args, scaling);
    out.w = layout(in, k, args.w.rows, inputs, args.w.shards, k);
    out.a = layout(in, k, tokens, inputs, args.w.shards, k);
    out.d = layout(to, args.w.rows, tokens, args.ldo, args.w.shards, tokens * args.ldo);
    if (scaling == Scaling::kRowwise) {
      const bool rows = args.kind != GemmOut::kParts && args.w.row_scale != nullptr;
      set_scales(out.operation, CUBLASLT_MATMUL_MATRIX_SCALE_OUTER_VEC_32F,
                 rows ? args.w.row_scale : ones(args.w.rows), args.a_scale);
    } else if (scaling == Scaling::kBlocks) {
      const BlockScales places = block_scales(args);
      set_scales(out.operation, CUBLASLT_MATMUL_MATRIX_SCALE_VEC128_32F, places.w, places.a);
    }
    return out;
  }

  void set_scales(cublasLtMatmulDescOpaque_t& operation, cublasLtMatmulMatrixScale_t mode,
                  const float* w, const float* a) const {
    const auto value = static_cast<std::int32_t>(mode);
    set(operation, CUBLASLT_MATMUL_DESC_A_SCALE_MODE, value);
    set(operation, CUBLASLT_MATMUL_DESC_B_SCALE_MODE, value);
    set(operation, CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, w);
    set(operation, CUBLASLT_MATMUL_DESC_B_SCALE_POINTER, a);
  }

  /// What graphs have recorded stays where it is: memory that has become too small is kept.
  float* room(std::vector<DeviceBuffer>& buffers, std::int64_t floats) {
    const std::size_t bytes = static_cast<std::size_t>(floats) * sizeof(float);
    if (buffers.empty() || buffers.back().size() < bytes) buffers.emplace_back(bytes, "cuBLASLt");
    return buffers.back().as<float>();
  }

  const float* ones(int count) {
    const std::size_t before = ones_.size();
    float* out = room(ones_, count);
    if (ones_.size() > before) {
      const std::vector<float> values(static_cast<std::size_t>(count), 1.0F);
      copy_to_device(nullptr, out, values.data(), values.size() * sizeof(float));
      synchronize(nullptr);
    }
    return out;
  }

  struct BlockScales {
    float* w;  // [blocks, rows]
    float* a;  // [blocks, padded tokens]
  };
  BlockScales block_scales(const DeviceGemmArgs& args) {
    const std::int64_t rows = args.w.rows;
    const std::int64_t tokens = library_tokens(args, Scaling::kBlocks);
    float* all = room(scales_, args.w.blocks() * (round_to_line(rows) + tokens));
    return {all, all + args.w.blocks() * round_to_line(rows)};
  }
  static std::int64_t round_to_line(std::int64_t floats) { return (floats + 63) / 64 * 64; }

  void transpose_scales(CudaStream stream, const DeviceGemmArgs& args) {
    const BlockScales to = block_scales(args);
    const int blocks = static_cast<int>(args.w.blocks());
    transpose_scales_cuda(stream,
                          {.in = args.w.group_scale,
                           .factor = args.kind == GemmOut::kParts ? nullptr : args.w.row_scale,
                           .out = to.w,
                           .rows = args.w.rows,
                           .cols = blocks,
                           .ld = args.w.rows});
    transpose_scales_cuda(stream, {.in = args.a_scale,
                                   .out = to.a,
                                   .rows = args.tokens,
                                   .cols = blocks,
                                   .ld = library_tokens(args, Scaling::kBlocks)});
  }

  /// The whole product, scales and all.
  cublasStatus_t execute(CudaStream stream, const DeviceGemmArgs& args, const Choice& choice) {
    if (choice.scaling == Scaling::kOwn) {
      options_.own(stream, args);
      return CUBLAS_STATUS_SUCCESS;
    }
    Problem problem = make_problem(args, choice.scaling);
    if (choice.scaling == Scaling::kBlocks) transpose_scales(stream, args);
    const float one = 1.0F;
    const float zero = 0.0F;
    const cublasStatus_t status = library_.matmul(
        handle_, &problem.operation, &one, args.w.data, &problem.w, args.a, &problem.a, &zero,
        args.out, &problem.d, args.out, &problem.d, &choice.algorithm, workspace_.as<void>(),
        kWorkspace, reinterpret_cast<cudaStream_t>(stream));
    if (status == CUBLAS_STATUS_SUCCESS && choice.scaling == Scaling::kKernel) {
      scale_outputs_cuda(stream, args);
    }
    return status;
  }

  /// Token counts are rounded up to a power of two: one choice serves a range.
  static ShapeKey key_of(const DeviceGemmArgs& args, bool exact) {
    int bucket = 1;
    while (bucket < args.tokens) bucket *= 2;
    return {.rows = args.w.rows,
            .shards = args.w.shards,
            .shard_k = args.w.shard_k,
            .e4m3 = args.a_is_e4m3,
            .scaled = args.a_scale != nullptr || args.w.row_scale != nullptr,
            .blocks = args.w.group_scale != nullptr,
            .kind = args.kind,
            .tokens = exact ? args.tokens : bucket,
            .exact = exact};
  }

  [[nodiscard]] std::string name_of(const ShapeKey& key) const {
    return fmt::format("{}{}x{}x{}/{}{}{}/{}/{}{}", prefix_, key.rows, key.shards, key.shard_k,
                       key.e4m3 ? "e4m3" : "bf16", key.scaled ? "-scaled" : "",
                       key.blocks ? "-blocks" : "", static_cast<int>(key.kind),
                       key.exact ? "=" : "", key.tokens);
  }

  const Choice& choice_for(CudaStream stream, const DeviceGemmArgs& args, bool exact) {
    const ShapeKey key = key_of(args, exact);
    const auto found = chosen_.find(key);
    if (found != chosen_.end()) return found->second;
    const std::string name = name_of(key);
    const std::optional<Choice> known = remembered(args, name);
    return chosen_.emplace(key, known ? *known : choose(stream, args, name)).first->second;
  }

  /// In the file: a byte for the scaling, then the library's bytes.
  std::optional<Choice> remembered(const DeviceGemmArgs& args, const std::string& name) {
    const auto bytes = cache_.find(name);
    Choice out;
    if (!bytes || bytes->size() != 1 + sizeof(out.algorithm)) return std::nullopt;
    out.scaling = static_cast<Scaling>(bytes->front());
    std::memcpy(&out.algorithm, bytes->data() + 1, sizeof(out.algorithm));
    if (out.scaling == Scaling::kOwn) return options_.own ? std::optional(out) : std::nullopt;
    const std::vector<Scaling> ways = library_scalings(args, options_.capability);
    if (std::find(ways.begin(), ways.end(), out.scaling) == ways.end()) return std::nullopt;
    Problem problem = make_problem(args, out.scaling);
    cublasLtMatmulHeuristicResult_t result{};
    const cublasStatus_t status =
        library_.check(handle_, &problem.operation, &problem.w, &problem.a, &problem.d, &problem.d,
                       &out.algorithm, &result);
    if (status != CUBLAS_STATUS_SUCCESS || result.workspaceSize > kWorkspace) return std::nullopt;
    return out;
  }

  /// The library's best guesses for one way of scaling; none where it has no such product.
  void add_candidates(const DeviceGemmArgs& args, Scaling scaling, std::vector<Choice>& out) {
    Problem problem = make_problem(args, scaling);
    cublasLtMatmulPreferenceOpaque_t preference{};
    check(library_.preference(&preference, sizeof(preference)), "preference");
    check(library_.set_preference(&preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                  &kWorkspace, sizeof(kWorkspace)),
          "preference");
    std::array<cublasLtMatmulHeuristicResult_t, kCandidates> results{};
    int count = 0;
    const cublasStatus_t status =
        library_.heuristic(handle_, &problem.operation, &problem.w, &problem.a, &problem.d,
                           &problem.d, &preference, kCandidates, results.data(), &count);
    if (status != CUBLAS_STATUS_SUCCESS) return;
    for (int i = 0; i < count; ++i) {
      const cublasLtMatmulHeuristicResult_t& result = results[static_cast<std::size_t>(i)];
      if (result.state == CUBLAS_STATUS_SUCCESS) out.push_back({scaling, result.algo});
    }
  }

  /// The fastest way; the first of those that are equally fast.
  Choice choose(CudaStream stream, const DeviceGemmArgs& args, const std::string& name) {
    std::vector<Choice> candidates;
    for (const Scaling scaling : library_scalings(args, options_.capability)) {
      add_candidates(args, scaling, candidates);
    }
    if (options_.own) candidates.push_back({.scaling = Scaling::kOwn});
    const Choice* best = nullptr;
    float least = 0;
    for (const Choice& candidate : candidates) {
      const std::optional<float> time = timed(stream, args, candidate);
      if (!time || (best != nullptr && *time >= least)) continue;
      best = &candidate;
      least = *time;
    }
    if (best == nullptr) throw_environment("cuBLASLt has no algorithm for {}", name);
    std::vector<unsigned char> bytes(1 + sizeof(best->algorithm));
    bytes.front() = static_cast<unsigned char>(best->scaling);
    std::memcpy(bytes.data() + 1, &best->algorithm, sizeof(best->algorithm));
    cache_.add(name, bytes);
    return *best;
  }

  /// Milliseconds of the best of a few runs with nothing in the device's cache; nothing where the
  /// product is refused.
  std::optional<float> timed(CudaStream stream, const DeviceGemmArgs& args, const Choice& choice) {
    if (execute(stream, args, choice) != CUBLAS_STATUS_SUCCESS) return std::nullopt;
    if (flush_.size() == 0) flush_ = DeviceBuffer(kCacheBytes, "timing of cuBLASLt");
    float least = 0;
    for (int i = 0; i < kTimedRuns; ++i) {
      fill_bytes(stream, flush_.as<void>(), 0, kCacheBytes);
      Event begin;
      Event end;
      begin.record(stream);
      (void)execute(stream, args, choice);
      end.record(stream);
      end.wait();
      const float time = end.since(begin);
      least = i == 0 ? time : std::min(least, time);
    }
    return least;
  }

  LibraryGemmOptions options_;
  CublasLt library_;
  cublasLtHandle_t handle_ = nullptr;
  DeviceBuffer workspace_;
  DeviceBuffer flush_;
  std::vector<DeviceBuffer> ones_;
  std::vector<DeviceBuffer> scales_;
  AlgorithmCache cache_;
  std::string prefix_;
  std::map<ShapeKey, Choice> chosen_;
};

}  // namespace

std::unique_ptr<LibraryGemm> make_library_gemm(LibraryGemmOptions options) {
  return std::make_unique<Implementation>(std::move(options));
}

}  // namespace assay::engine
