// One quantized matrix as the tensors of the compressed-tensors format, and the header of a
// safetensors file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/safetensors.h"
#include "engine/weight_codes.h"

namespace assay::engine {

struct OutTensor {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<std::int64_t> shape;
  [[nodiscard]] std::int64_t bytes() const;
};

/// The tensors of a module in the format.
std::vector<OutTensor> stored_layout(const std::string& module, std::int64_t rows,
                                     std::int64_t cols, const MatrixFormat& format);
/// Their bytes, in the same order.
std::vector<std::vector<std::byte>> stored_bytes(const CodeSource& codes, std::int64_t rows,
                                                 std::int64_t cols, const ParallelFor& parallel);

/// Length and JSON of a file that holds `tensors` in this order.
std::string safetensors_header(const std::vector<OutTensor>& tensors);

}  // namespace assay::engine
