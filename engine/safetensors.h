// The header of a safetensors file: names, types, shapes and places of its tensors.
// Format: 8 bytes little-endian length n, n bytes of JSON, data. Everything is checked before use.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace assay::engine {

enum class DType {
  kBool,
  kU8,
  kI8,
  kF8E5M2,
  kF8E4M3,
  kF8E8M0,
  kI16,
  kU16,
  kF16,
  kBf16,
  kI32,
  kU32,
  kF32,
  kC64,
  kF64,
  kI64,
  kU64,
  kF4,      // two values a byte
  kF6E2M3,  // four values in three bytes
  kF6E3M2
};

/// As written in headers: "BF16", "F8_E4M3", ...
std::string_view dtype_name(DType dtype);
/// Size of one element.
std::int64_t dtype_bits(DType dtype);

struct TensorEntry {
  std::string name;
  DType dtype = DType::kBf16;
  std::vector<std::int64_t> shape;  // empty: one element
  std::int64_t begin = 0;           // bytes from the start of the file
  std::int64_t end = 0;
};

struct SafetensorsHeader {
  std::vector<TensorEntry> tensors;                           // in the order of the header
  std::vector<std::pair<std::string, std::string>> metadata;  // "__metadata__"
  std::int64_t data_begin = 0;                                // 8 + n
};

/// Parses the header of a whole file's bytes; tensor data are not touched.
/// Throws: Error(kInput) naming `source`, the tensor and the reason. A file that is something else
/// (LFS pointer, web page, pickle, GGUF, gzip) or only half downloaded is named as such.
SafetensorsHeader parse_safetensors(std::span<const std::byte> file, const std::string& source);

/// What a file that is no safetensors file looks like, as a sentence with what to do, or "".
std::string describe_foreign_file(std::string_view first_bytes);

}  // namespace assay::engine
