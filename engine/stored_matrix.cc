#include "engine/stored_matrix.h"

#include <cstring>

#include "base/json.h"
#include "engine/ops/number.h"

namespace assay::engine {
namespace {

constexpr std::int64_t kBlockRows = 128;

std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

using Bytes = std::vector<std::byte>;

template <typename T>
void put(Bytes& bytes, std::int64_t index, T value) {
  std::memcpy(bytes.data() + static_cast<std::size_t>(index) * sizeof(T), &value, sizeof(T));
}

/// Adds a code of four bits to a word or byte array.
void put_nibble(Bytes& bytes, std::int64_t index, unsigned code) {
  bytes[static_cast<std::size_t>(index / 2)] |=
      static_cast<std::byte>(index % 2 == 0 ? code : code << 4);
}

/// Codes of one row. Words are little-endian, so eight codes of a word are four bytes, low first.
void put_codes(const CodeRow& row, WeightType type, std::int64_t at, Bytes& out) {
  const auto cols = static_cast<std::int64_t>(row.codes.size());
  for (std::int64_t i = 0; i < cols; ++i) {
    const float code = row.codes[static_cast<std::size_t>(i)];
    switch (type) {
      case WeightType::kInt8:
        out[static_cast<std::size_t>(at * cols + i)] =
            static_cast<std::byte>(static_cast<std::int8_t>(code));
        break;
      case WeightType::kInt4:
        put_nibble(out, at * divide_up(cols, 8) * 8 + i, static_cast<unsigned>(code));
        break;
      case WeightType::kE2m1:
        put_nibble(out, at * divide_up(cols, 2) * 2 + i, float_to_e2m1(code));
        break;
      default:
        out[static_cast<std::size_t>(at * cols + i)] = std::byte{float_to_e4m3(code)};
    }
  }
}

void put_scale(const MatrixFormat& format, std::int64_t index, float scale, Bytes& out) {
  if (format.weights == WeightType::kInt4) {
    put(out, index, float_to_bf16(scale));
  } else if (format.weights == WeightType::kE2m1) {
    out[static_cast<std::size_t>(index)] =
        std::byte{format.power_of_two ? float_to_e8m0_floor(scale) : float_to_e4m3(scale)};
  } else {
    put(out, index, scale);
  }
}

}  // namespace

std::int64_t OutTensor::bytes() const {
  std::int64_t count = dtype_bits(dtype) / 8;
  for (const std::int64_t size : shape) count *= size;
  return count;
}

std::vector<OutTensor> stored_layout(const std::string& module, std::int64_t rows,
                                     std::int64_t cols, const MatrixFormat& format) {
  const std::string prefix = module + ".";
  std::vector<OutTensor> out;
  const std::int64_t groups = format.group > 0 ? divide_up(cols, format.group) : 1;
  switch (format.weights) {
    case WeightType::kInt8:
      out.push_back({prefix + "weight", DType::kI8, {rows, cols}});
      break;
    case WeightType::kInt4:
      out.push_back({prefix + "weight_packed", DType::kI32, {rows, divide_up(cols, 8)}});
      out.push_back({prefix + "weight_scale", DType::kBf16, {rows, groups}});
      out.push_back({prefix + "weight_zero_point", DType::kI32, {divide_up(rows, 8), groups}});
      out.push_back({prefix + "weight_shape", DType::kI64, {2}});
      return out;
    case WeightType::kE2m1:
      out.push_back({prefix + "weight_packed", DType::kU8, {rows, divide_up(cols, 2)}});
      out.push_back({prefix + "weight_scale",
                     format.power_of_two ? DType::kU8 : DType::kF8E4M3,
                     {rows, groups}});
      if (!format.power_of_two) {
        out.push_back({prefix + "weight_global_scale", DType::kF32, {1}});
      }
      return out;
    default:
      out.push_back({prefix + "weight", DType::kF8E4M3, {rows, cols}});
  }
  std::vector<std::int64_t> shape = {rows, 1};
  if (format.scales == ScaleLayout::kTensor) shape = {1};
  if (format.scales == ScaleLayout::kBlocks) shape = {divide_up(rows, kBlockRows), groups};
  out.push_back({prefix + "weight_scale", DType::kF32, std::move(shape)});
  if (format.input_scale > 0) out.push_back({prefix + "input_scale", DType::kF32, {1}});
  return out;
}

std::vector<std::vector<std::byte>> stored_bytes(const CodeSource& codes, std::int64_t rows,
                                                 std::int64_t cols, const ParallelFor& parallel) {
  const MatrixFormat& format = codes.format();
  const std::vector<OutTensor> layout = stored_layout("", rows, cols, format);
  std::vector<Bytes> out;
  for (const OutTensor& tensor : layout) {
    out.emplace_back(static_cast<std::size_t>(tensor.bytes()));
  }
  const std::int64_t groups = format.group > 0 ? divide_up(cols, format.group) : 1;
  const bool blocks = format.scales == ScaleLayout::kBlocks;
  // Eight rows share a word of zero points.
  parallel(divide_up(rows, 8), [&](std::int64_t begin, std::int64_t end) {
    CodeRow row;
    for (std::int64_t r = begin * 8; r < std::min(end * 8, rows); ++r) {
      codes.read(r, row);
      put_codes(row, format.weights, r, out[0]);
      if (format.group == 0) {
        if (format.scales == ScaleLayout::kRow || r == 0) put(out[1], r, row.row_scale);
        continue;
      }
      for (std::int64_t g = 0; g < groups; ++g) {
        const float scale = row.group_scale[static_cast<std::size_t>(g)];
        if (!blocks) put_scale(format, r * groups + g, scale, out[1]);
        if (blocks && r % kBlockRows == 0) put(out[1], r / kBlockRows * groups + g, scale);
        if (format.weights == WeightType::kInt4) {
          put_nibble(out[2], (r / 8 * groups + g) * 8 + r % 8,
                     row.zero_points[static_cast<std::size_t>(g)]);
        }
      }
    }
  });
  if (format.weights == WeightType::kInt4) {
    put(out[3], 0, rows);
    put(out[3], 1, cols);
  } else if (format.weights == WeightType::kE2m1 && !format.power_of_two) {
    put(out[2], 0, codes.global_divisor());
  } else if (format.input_scale > 0) {
    put(out.back(), 0, format.input_scale);
  }
  return out;
}

std::string safetensors_header(const std::vector<OutTensor>& tensors) {
  Json header{Json::Object{}};
  std::int64_t at = 0;
  for (const OutTensor& tensor : tensors) {
    Json shape{Json::Array{}};
    for (const std::int64_t size : tensor.shape) shape.push_back(size);
    Json offsets{Json::Array{}};
    offsets.push_back(at);
    at += tensor.bytes();
    offsets.push_back(at);
    Json entry;
    entry.set("dtype", std::string(dtype_name(tensor.dtype)));
    entry.set("shape", std::move(shape));
    entry.set("data_offsets", std::move(offsets));
    header.set(tensor.name, std::move(entry));
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // data begin aligned
  std::string out(8, '\0');
  const std::uint64_t size = text.size();
  std::memcpy(out.data(), &size, sizeof(size));
  return out + text;
}

}  // namespace assay::engine
