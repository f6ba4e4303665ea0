// Quantized weights of one matrix, row by row: codes, scales and zero points, whether they come
// from a checkpoint or are made on the fly. One definition for the loader of every backend and for
// `assay quantize`, so that a written checkpoint gives the bits of the setting that wrote it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engine/settings.h"

namespace assay::engine {

class WeightSource;

/// One row. value = code x group_scale x row_scale; INT4: (code - zero point) x group_scale.
struct CodeRow {
  std::vector<float> codes;               // [cols], values of the format (INT4: 0..15)
  std::vector<float> group_scale;         // [groups]; empty without groups
  std::vector<std::uint8_t> zero_points;  // [groups], INT4
  float row_scale = 1;
};

/// The value of every weight of a row, each a product in FP32.
void dequantize(const CodeRow& row, std::int64_t group, std::span<float> out);

/// A matrix whose rows can be had quantized. Thread-safe.
class CodeSource {
 public:
  virtual ~CodeSource() = default;
  [[nodiscard]] virtual const MatrixFormat& format() const = 0;
  /// REQUIRES: 0 <= row < rows of the matrix.
  virtual void read(std::int64_t row, CodeRow& out) const = 0;
  /// NVFP4: the divisor whose reciprocal is the rows' scale, as compressed-tensors stores it.
  [[nodiscard]] virtual float global_divisor() const { return 1; }
};

/// A matrix to be quantized on the fly. `scaled_with`: the matrices whose largest magnitudes make
/// the tensor's scale together (NVFP4: q, k, v and gate, up have one, as engines that fuse them
/// expect); at least the matrix itself.
struct MatrixShape {
  std::string tensor;  // name of the weight in the source
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::vector<std::pair<std::string, std::int64_t>> scaled_with;  // tensor, rows
};

/// Calls body(begin, end) for pieces of [0, count), on any threads, and waits for all.
using ParallelFor = std::function<void(
    std::int64_t count, const std::function<void(std::int64_t, std::int64_t)>& body)>;

/// Quantizes `matrix` to `format` with scales of the whole matrix, its rows and groups:
/// - E4M3, INT8: amax / 448, amax / 127, at least 2^-40; codes are encode(value / scale);
/// - INT4: (max - min) / 15 of the group's range with 0, rounded to BF16; an integer zero point;
/// - NVFP4: one factor 2688 / amax for the tensor, E4M3 scales amax / 6 x factor for 16 inputs;
/// - MXFP4: the power of two floor(log2(amax)) - 2 for 32 inputs.
/// A scale of NaN shows a value that is not finite. REQUIRES: the source outlives the result.
std::unique_ptr<CodeSource> quantize_matrix(const WeightSource& source, const MatrixShape& matrix,
                                            const MatrixFormat& format,
                                            const ParallelFor& parallel);

/// The divisor that an NVFP4 tensor stores, of its largest magnitude.
float nvfp4_global_scale(float amax);

}  // namespace assay::engine
