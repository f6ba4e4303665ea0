// A stand-in for libcublasLt.so.13 on machines without a GPU: the same C functions over host
// memory, with plain loops. It takes what the header's documentation allows on Hopper and refuses
// the rest, so that layouts, attributes and choices are proved to be what was meant.
#include <cublasLt.h>

#include <cmath>
#include <cstdint>
#include <cstring>

namespace {

struct Description {
  cublasComputeType_t compute;
  cudaDataType_t scale_type;
  std::int32_t transposed_a;
  std::int32_t mode_a;
  std::int32_t mode_b;
  const float* scale_a;
  const float* scale_b;
};
static_assert(sizeof(Description) <= sizeof(cublasLtMatmulDescOpaque_t));

struct Layout {
  std::int32_t type;
  std::int32_t batch;
  std::int64_t rows, cols, ld, stride;
};
static_assert(sizeof(Layout) <= sizeof(cublasLtMatrixLayoutOpaque_t));

struct Algorithm {
  std::int64_t number;
  std::int64_t most_tokens;  // that it takes; 0: any
};

template <typename T, typename Opaque>
T& as(Opaque* opaque) {
  return *reinterpret_cast<T*>(opaque);
}
template <typename T, typename Opaque>
const T& as(const Opaque* opaque) {
  return *reinterpret_cast<const T*>(opaque);
}

double value_of(std::int32_t type, const void* data, std::int64_t at) {
  if (type == CUDA_R_32F) return static_cast<double>(static_cast<const float*>(data)[at]);
  if (type == CUDA_R_16BF) {
    const std::uint32_t bits = std::uint32_t{static_cast<const std::uint16_t*>(data)[at]} << 16;
    float out = 0;
    std::memcpy(&out, &bits, sizeof(out));
    return static_cast<double>(out);
  }
  const int code = static_cast<const std::uint8_t*>(data)[at];
  const int exponent = code >> 3 & 15;
  const int mantissa = code & 7;
  const double magnitude =
      exponent == 0 ? std::ldexp(mantissa, -9) : std::ldexp(8 + mantissa, exponent - 10);
  return (code & 128) != 0 ? -magnitude : magnitude;
}

void put(std::int32_t type, void* data, std::int64_t at, double value) {
  const auto single = static_cast<float>(value);
  if (type == CUDA_R_32F) {
    static_cast<float*>(data)[at] = single;
    return;
  }
  std::uint32_t bits = 0;
  std::memcpy(&bits, &single, sizeof(bits));
  bits += 0x7FFFU + (bits >> 16 & 1U);  // to nearest, ties to even
  static_cast<std::uint16_t*>(data)[at] = static_cast<std::uint16_t>(bits >> 16);
}

std::int64_t bytes_of(std::int32_t type) {
  return type == CUDA_R_32F ? 4 : type == CUDA_R_16BF ? 2 : 1;
}

struct State {
  int heuristics = 0;          // calls
  int products = 0;            // that were done
  std::int32_t last_mode = 0;  // of the last product
  std::int32_t refused = -1;   // scale mode that is refused as if the device had it not; -2: all
  std::int64_t most_tokens = 0;
};
State state;

/// cublasLt.h's conditions, for column-major A^T B: FP8 has both operands E4M3 and K and rows in
/// multiples of 16 bytes.
bool takes(const Description& op, const Layout& a, const Layout& b, const Layout& d) {
  const bool fp8 = a.type == CUDA_R_8F_E4M3;
  bool good = op.compute == CUBLAS_COMPUTE_32F && op.scale_type == CUDA_R_32F;
  good = good && op.transposed_a == CUBLAS_OP_T && a.type == b.type && a.rows == b.rows;
  good = good && d.rows == a.cols && d.cols == b.cols && a.batch == b.batch && a.batch == d.batch;
  good = good && (d.type == CUDA_R_32F || d.type == CUDA_R_16BF);
  good = good && a.ld >= a.rows && b.ld >= b.rows && d.ld >= d.rows;
  if (fp8) {
    good = good && a.rows % 16 == 0 && a.ld % 16 == 0 && b.ld % 16 == 0 &&
           d.ld * bytes_of(d.type) % 16 == 0 && d.rows % 16 == 0;
  }
  good = good && op.mode_a == op.mode_b && (fp8 || op.mode_a == 0);
  const bool scales = op.scale_a != nullptr && op.scale_b != nullptr;
  switch (op.mode_a) {
    case CUBLASLT_MATMUL_MATRIX_SCALE_SCALAR_32F:
      break;
    case CUBLASLT_MATMUL_MATRIX_SCALE_OUTER_VEC_32F:
      good = good && scales && a.batch == 1;
      break;
    case CUBLASLT_MATMUL_MATRIX_SCALE_VEC128_32F:
      good = good && scales && a.batch == 1 && a.rows % 128 == 0 && b.cols % 8 == 0;
      break;
    default:
      good = false;
  }
  return good && op.mode_a != state.refused && state.refused != -2;
}

double element(const Description& op, const Layout& a, const Layout& b, const void* w,
               const void* x, std::int64_t batch, std::int64_t row, std::int64_t token) {
  double sum = 0;
  for (std::int64_t k = 0; k < a.rows; ++k) {
    double product = value_of(a.type, w, batch * a.stride + row * a.ld + k) *
                     value_of(b.type, x, batch * b.stride + token * b.ld + k);
    if (op.mode_a == CUBLASLT_MATMUL_MATRIX_SCALE_VEC128_32F) {
      product *= static_cast<double>(op.scale_a[k / 128 * a.cols + row]) *
                 static_cast<double>(op.scale_b[k / 128 * b.cols + token]);
    }
    sum += product;
  }
  if (op.mode_a == CUBLASLT_MATMUL_MATRIX_SCALE_OUTER_VEC_32F) {
    sum *= static_cast<double>(op.scale_a[row]) * static_cast<double>(op.scale_b[token]);
  }
  return sum;
}

}  // namespace

extern "C" {

/// For tests: what was called, and what is to be refused.
int fake_cublaslt_heuristics() { return state.heuristics; }
int fake_cublaslt_products() { return state.products; }
int fake_cublaslt_last_mode() { return state.last_mode; }
void fake_cublaslt_refuse(int mode) { state.refused = mode; }
/// Of the algorithms that the heuristic names from now on.
void fake_cublaslt_most_tokens(int tokens) { state.most_tokens = tokens; }

cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
  *handle = reinterpret_cast<cublasLtHandle_t>(&state);
  return CUBLAS_STATUS_SUCCESS;
}
size_t cublasLtGetVersion() { return 130000; }

cublasStatus_t cublasLtMatmulDescInit_internal(cublasLtMatmulDesc_t description, size_t size,
                                               cublasComputeType_t compute,
                                               cudaDataType_t scale_type) {
  if (size != sizeof(cublasLtMatmulDescOpaque_t)) return CUBLAS_STATUS_INVALID_VALUE;
  as<Description>(description) = {.compute = compute,
                                  .scale_type = scale_type,
                                  .transposed_a = CUBLAS_OP_N,
                                  .mode_a = 0,
                                  .mode_b = 0,
                                  .scale_a = nullptr,
                                  .scale_b = nullptr};
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t description,
                                              cublasLtMatmulDescAttributes_t attribute,
                                              const void* value, size_t size) {
  Description& op = as<Description>(description);
  const auto copy = [&](auto& to) {
    if (size != sizeof(to)) return CUBLAS_STATUS_INVALID_VALUE;
    std::memcpy(&to, value, size);
    return CUBLAS_STATUS_SUCCESS;
  };
  switch (attribute) {
    case CUBLASLT_MATMUL_DESC_TRANSA:
      return copy(op.transposed_a);
    case CUBLASLT_MATMUL_DESC_A_SCALE_MODE:
      return copy(op.mode_a);
    case CUBLASLT_MATMUL_DESC_B_SCALE_MODE:
      return copy(op.mode_b);
    case CUBLASLT_MATMUL_DESC_A_SCALE_POINTER:
      return copy(op.scale_a);
    case CUBLASLT_MATMUL_DESC_B_SCALE_POINTER:
      return copy(op.scale_b);
    default:
      return CUBLAS_STATUS_INVALID_VALUE;
  }
}

cublasStatus_t cublasLtMatrixLayoutInit_internal(cublasLtMatrixLayout_t layout, size_t size,
                                                 cudaDataType type, uint64_t rows, uint64_t cols,
                                                 int64_t ld) {
  if (size != sizeof(cublasLtMatrixLayoutOpaque_t)) return CUBLAS_STATUS_INVALID_VALUE;
  as<Layout>(layout) = {.type = type,
                        .batch = 1,
                        .rows = static_cast<std::int64_t>(rows),
                        .cols = static_cast<std::int64_t>(cols),
                        .ld = ld,
                        .stride = 0};
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t layout,
                                                cublasLtMatrixLayoutAttribute_t attribute,
                                                const void* value, size_t size) {
  Layout& of = as<Layout>(layout);
  if (attribute == CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT && size == sizeof(of.batch)) {
    std::memcpy(&of.batch, value, size);
  } else if (attribute == CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET &&
             size == sizeof(of.stride)) {
    std::memcpy(&of.stride, value, size);
  } else {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceInit_internal(cublasLtMatmulPreference_t preference,
                                                     size_t size) {
  if (size != sizeof(cublasLtMatmulPreferenceOpaque_t)) return CUBLAS_STATUS_INVALID_VALUE;
  as<std::uint64_t>(preference) = 0;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                    cublasLtMatmulPreferenceAttributes_t attribute,
                                                    const void* value, size_t size) {
  if (attribute != CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES || size != sizeof(std::uint64_t)) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  std::memcpy(&as<std::uint64_t>(preference), value, size);
  return CUBLAS_STATUS_SUCCESS;
}

/// Two algorithms; the first is never able to run.
cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t description,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t preference, int most,
                                              cublasLtMatmulHeuristicResult_t results[],
                                              int* count) {
  ++state.heuristics;
  *count = 0;
  if (c != d || most < 2 || as<std::uint64_t>(preference) < (32U << 20)) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  if (!takes(as<Description>(description), as<Layout>(a), as<Layout>(b), as<Layout>(d))) {
    return CUBLAS_STATUS_NOT_SUPPORTED;
  }
  for (int i = 0; i < 2; ++i) {
    results[i] = {};
    as<Algorithm>(&results[i].algo) = {.number = i, .most_tokens = state.most_tokens};
    results[i].state = CUBLAS_STATUS_SUCCESS;
  }
  *count = 2;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulAlgoCheck(cublasLtHandle_t, cublasLtMatmulDesc_t description,
                                       cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                       cublasLtMatrixLayout_t, cublasLtMatrixLayout_t d,
                                       const cublasLtMatmulAlgo_t* algorithm,
                                       cublasLtMatmulHeuristicResult_t* result) {
  result->workspaceSize = 0;
  const bool good =
      as<Algorithm>(algorithm).number == 1 &&
      takes(as<Description>(description), as<Layout>(a), as<Layout>(b), as<Layout>(d));
  return good ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_INVALID_VALUE;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t description, const void* alpha,
                              const void* a, cublasLtMatrixLayout_t a_layout, const void* b,
                              cublasLtMatrixLayout_t b_layout, const void* beta, const void*,
                              cublasLtMatrixLayout_t, void* d, cublasLtMatrixLayout_t d_layout,
                              const cublasLtMatmulAlgo_t* algorithm, void* workspace, size_t bytes,
                              cudaStream_t) {
  const Description& op = as<Description>(description);
  const Layout& w = as<Layout>(a_layout);
  const Layout& x = as<Layout>(b_layout);
  const Layout& out = as<Layout>(d_layout);
  const Algorithm& chosen = as<Algorithm>(algorithm);
  const bool aligned = (reinterpret_cast<std::uintptr_t>(a) | reinterpret_cast<std::uintptr_t>(b) |
                        reinterpret_cast<std::uintptr_t>(d)) %
                           16 ==
                       0;
  if (*static_cast<const float*>(alpha) != 1 || *static_cast<const float*>(beta) != 0 || !aligned ||
      workspace == nullptr || bytes < (32U << 20)) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  if (!takes(op, w, x, out) || chosen.number != 1) return CUBLAS_STATUS_NOT_SUPPORTED;
  if (chosen.most_tokens > 0 && x.cols > chosen.most_tokens) return CUBLAS_STATUS_NOT_SUPPORTED;
  for (std::int64_t batch = 0; batch < w.batch; ++batch) {
    for (std::int64_t token = 0; token < x.cols; ++token) {
      for (std::int64_t row = 0; row < w.cols; ++row) {
        put(out.type, d, batch * out.stride + token * out.ld + row,
            element(op, w, x, a, b, batch, row, token));
      }
    }
  }
  ++state.products;
  state.last_mode = op.mode_a;
  return CUBLAS_STATUS_SUCCESS;
}

}  // extern "C"
