#include "engine/safetensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <optional>

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"

namespace assay::engine {
namespace {

constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;
constexpr std::size_t kMaxRank = 8;

struct DTypeRow {
  DType dtype;
  std::string_view name;
  std::int64_t bits;
};

constexpr DTypeRow kDTypes[] = {
    {DType::kBool, "BOOL", 8},      {DType::kU8, "U8", 8},          {DType::kI8, "I8", 8},
    {DType::kF8E5M2, "F8_E5M2", 8}, {DType::kF8E4M3, "F8_E4M3", 8}, {DType::kF8E8M0, "F8_E8M0", 8},
    {DType::kI16, "I16", 16},       {DType::kU16, "U16", 16},       {DType::kF16, "F16", 16},
    {DType::kBf16, "BF16", 16},     {DType::kI32, "I32", 32},       {DType::kU32, "U32", 32},
    {DType::kF32, "F32", 32},       {DType::kC64, "C64", 64},       {DType::kF64, "F64", 64},
    {DType::kI64, "I64", 64},       {DType::kU64, "U64", 64},       {DType::kF4, "F4", 4},
    {DType::kF6E2M3, "F6_E2M3", 6}, {DType::kF6E3M2, "F6_E3M2", 6},
};

const DTypeRow& row_of(DType dtype) { return kDTypes[static_cast<std::size_t>(dtype)]; }

std::optional<DType> dtype_from_name(std::string_view name) {
  for (const DTypeRow& row : kDTypes) {
    if (row.name == name) return row.dtype;
  }
  return std::nullopt;
}

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::uint64_t read_little_endian_64(std::span<const std::byte> bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    value |= std::to_integer<std::uint64_t>(bytes[i]) << (8 * i);
  }
  return value;
}

/// Non-negative integer, or nothing.
std::optional<std::int64_t> natural(const Json& value) {
  if (!value.is_int() || value.as_int() < 0) return std::nullopt;
  return value.as_int();
}

/// One tensor's entry of the header.
class EntryReader {
 public:
  EntryReader(const std::string& source, const std::string& name, std::int64_t data_begin,
              std::int64_t data_size)
      : source_(source), name_(name), data_begin_(data_begin), data_size_(data_size) {}

  [[nodiscard]] TensorEntry read(const Json& value) const {
    if (!value.is_object()) fail("its entry is no object");
    for (const auto& [key, ignored] : value.as_object()) {
      if (key != "dtype" && key != "shape" && key != "data_offsets") {
        fail(fmt::format("unknown key \"{}\"", escaped(key, 60)));
      }
    }
    TensorEntry out;
    out.name = name_;
    out.dtype = read_dtype(value);
    out.shape = read_shape(value);
    read_offsets(value, out);
    const std::int64_t expected = byte_size(out);
    if (expected != out.end - out.begin) {
      fail(fmt::format("{} bytes of data for dtype {} and shape [{}], which take {}",
                       out.end - out.begin, dtype_name(out.dtype), fmt::join(out.shape, ", "),
                       expected));
    }
    return out;
  }

 private:
  [[noreturn]] void fail(const std::string& reason) const {
    throw_input("{}: tensor \"{}\": {}", source_, escaped(name_, 120), reason);
  }

  const Json& member(const Json& value, std::string_view key) const {
    const Json* found = value.find(key);
    if (found == nullptr) fail(fmt::format("no \"{}\"", key));
    return *found;
  }

  DType read_dtype(const Json& value) const {
    const Json& name = member(value, "dtype");
    if (!name.is_string()) fail("dtype must be a string");
    const std::optional<DType> dtype = dtype_from_name(name.as_string());
    if (!dtype) fail(fmt::format("unknown dtype \"{}\"", escaped(name.as_string(), 60)));
    return *dtype;
  }

  std::vector<std::int64_t> read_shape(const Json& value) const {
    const Json& shape = member(value, "shape");
    if (!shape.is_array()) fail("shape must be a list");
    if (shape.as_array().size() > kMaxRank) {
      fail(
          fmt::format("{} dimensions, at most {} are accepted", shape.as_array().size(), kMaxRank));
    }
    std::vector<std::int64_t> out;
    for (const Json& size : shape.as_array()) {
      const std::optional<std::int64_t> number = natural(size);
      if (!number) fail("shape must hold non-negative integers");
      out.push_back(*number);
    }
    return out;
  }

  void read_offsets(const Json& value, TensorEntry& out) const {
    const Json& offsets = member(value, "data_offsets");
    if (!offsets.is_array() || offsets.as_array().size() != 2) {
      fail("data_offsets must be a list of two integers");
    }
    const std::optional<std::int64_t> begin = natural(offsets.as_array()[0]);
    const std::optional<std::int64_t> end = natural(offsets.as_array()[1]);
    if (!begin || !end) fail("data_offsets must be two non-negative integers");
    if (*begin > *end) fail(fmt::format("data_offsets [{}, {}] run backwards", *begin, *end));
    if (*end > data_size_) {
      fail(
          fmt::format("its data end at byte {} but the file holds {} bytes of data: the download "
                      "is not complete, or the file is damaged; fetch it again",
                      *end, data_size_));
    }
    out.begin = data_begin_ + *begin;
    out.end = data_begin_ + *end;
  }

  std::int64_t byte_size(const TensorEntry& tensor) const {
    std::int64_t bits = dtype_bits(tensor.dtype);
    bool empty = false;
    for (const std::int64_t size : tensor.shape) {
      empty = empty || size == 0;
      // Also where another dimension is 0: whoever multiplies some of them must not overflow.
      if (size > 0 && __builtin_mul_overflow(bits, size, &bits)) {
        fail("its shape is larger than any file");
      }
    }
    if (empty) return 0;
    if (bits % 8 != 0) fail("its size is no whole number of bytes");
    return bits / 8;
  }

  const std::string& source_;
  const std::string& name_;
  std::int64_t data_begin_;
  std::int64_t data_size_;
};

void read_metadata(const Json& value, const std::string& source, SafetensorsHeader& header) {
  if (!value.is_object()) throw_input("{}: __metadata__ must be an object", source);
  for (const auto& [key, text] : value.as_object()) {
    if (!text.is_string()) {
      throw_input("{}: __metadata__: the value of \"{}\" must be text", source, escaped(key, 60));
    }
    header.metadata.emplace_back(key, text.as_string());
  }
}

/// The ranges start at the first data byte, touch one another, and end with the file.
void check_coverage(const SafetensorsHeader& header, std::int64_t file_size,
                    const std::string& source) {
  std::vector<const TensorEntry*> order;
  for (const TensorEntry& tensor : header.tensors) order.push_back(&tensor);
  std::sort(order.begin(), order.end(), [](const TensorEntry* a, const TensorEntry* b) {
    return std::pair(a->begin, a->end) < std::pair(b->begin, b->end);
  });
  std::int64_t at = header.data_begin;
  for (const TensorEntry* tensor : order) {
    if (tensor->begin != at) {
      throw_input("{}: tensor \"{}\": its data {} by {} bytes", source, escaped(tensor->name, 120),
                  tensor->begin < at ? "overlap those before them" : "leave a gap before them",
                  tensor->begin < at ? at - tensor->begin : tensor->begin - at);
    }
    at = tensor->end;
  }
  if (at != file_size) {
    throw_input("{}: {} bytes follow the data of the last tensor", source, file_size - at);
  }
}

std::int64_t header_length(std::span<const std::byte> file, const std::string& source) {
  const std::string foreign =
      describe_foreign_file(as_text(file.first(std::min<std::size_t>(file.size(), 512))));
  if (!foreign.empty()) throw_input("{}: {}", source, foreign);
  if (file.size() < 8) {
    throw_input(
        "{}: {} bytes are no safetensors file: the download is not complete; fetch it again",
        source, file.size());
  }
  const std::uint64_t length = read_little_endian_64(file);
  if (length < 2 || length > kMaxHeaderBytes) {
    throw_input("{}: not a safetensors file: header length {} is not between 2 and {}", source,
                length, kMaxHeaderBytes);
  }
  if (length > file.size() - 8) {
    throw_input(
        "{}: the header of {} bytes does not fit into the file of {}: the download is not "
        "complete; fetch it again",
        source, length, file.size());
  }
  return static_cast<std::int64_t>(length);
}

}  // namespace

std::string_view dtype_name(DType dtype) { return row_of(dtype).name; }

std::int64_t dtype_bits(DType dtype) { return row_of(dtype).bits; }

SafetensorsHeader parse_safetensors(std::span<const std::byte> file, const std::string& source) {
  const std::int64_t length = header_length(file, source);
  const std::string_view text = as_text(file.subspan(8, static_cast<std::size_t>(length)));
  if (text.front() != '{') throw_input("{}: the header does not start with \"{{\"", source);
  const Json json = parse_json(text, source + " (header)", {.max_bytes = kMaxHeaderBytes});
  SafetensorsHeader header;
  header.data_begin = 8 + length;
  const auto file_size = static_cast<std::int64_t>(file.size());
  for (const auto& [name, value] : json.as_object()) {
    if (name == "__metadata__") {
      read_metadata(value, source, header);
    } else {
      header.tensors.push_back(
          EntryReader(source, name, header.data_begin, file_size - header.data_begin).read(value));
    }
  }
  check_coverage(header, file_size, source);
  return header;
}

std::string describe_foreign_file(std::string_view first_bytes) {
  const auto starts = [&](std::string_view magic) { return first_bytes.starts_with(magic); };
  const std::string lower = to_lower_ascii(trim_ascii(first_bytes));
  if (starts("version https://git-lfs")) {
    return "is a Git LFS pointer, not the file itself: run \"git lfs pull\" in its folder";
  }
  if (lower.starts_with("<!doctype") || lower.starts_with("<html") || lower.starts_with("<?xml")) {
    return "is a web page, not the file itself: the download failed (log-in or licence needed?)";
  }
  // A header length may by chance begin with the bytes of another format; then "{" follows it.
  if (first_bytes.size() > 8 && first_bytes[8] == '{') return "";
  if (starts("GGUF")) {
    return "is a GGUF file: only Hugging Face checkpoints in safetensors format are read";
  }
  if (starts("\x1f\x8b")) return "is gzip-compressed: decompress it first (gunzip)";
  const bool pickle =
      starts("\x80") && first_bytes.size() > 1 && first_bytes[1] >= 2 && first_bytes[1] <= 5;
  if (starts("PK\x03\x04") || pickle) {
    return "is a PyTorch pickle, which can run code and is never read: convert it to safetensors";
  }
  return "";
}

}  // namespace assay::engine
