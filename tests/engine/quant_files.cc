#include "tests/engine/quant_files.h"

#include <fmt/format.h>

#include <fstream>

#include "base/json.h"
#include "engine/ops/number.h"
#include "tests/support/safetensors_file.h"

namespace assay::engine::test_files {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kFeatures = 200;
constexpr std::int64_t kVocab = 40;
constexpr std::int64_t kHeads = 2;
constexpr std::int64_t kKvWidth = kHidden / kHeads;

/// Everything but the matrices.
FileModel base_model(SplitMix64& random) {
  FileModel m;
  const auto plain = [&](const std::string& name, std::vector<std::int64_t> shape) {
    std::int64_t count = 1;
    for (const std::int64_t size : shape) count *= size;
    m.tensors[name] = {"BF16", shape, random_bf16(random, count)};
  };
  plain("model.embed_tokens.weight", {kVocab, kHidden});
  plain("lm_head.weight", {kVocab, kHidden});
  plain("model.norm.weight", {kHidden});
  plain("model.layers.0.input_layernorm.weight", {kHidden});
  plain("model.layers.0.post_attention_layernorm.weight", {kHidden});
  return m;
}

std::uint8_t random_e4m3(SplitMix64& random) {
  const auto code = static_cast<std::uint8_t>(random());
  return (code & 0x7FU) == 0x7F ? std::uint8_t{0x38} : code;
}

float random_scale(SplitMix64& random) {
  return static_cast<float>(random.uniform()) * 0.01F + 0.001F;
}

/// E4M3 codes with scales of blocks [block_rows, block_cols]; 0: the whole direction.
Encode fp8(std::string scale_name, std::string scale_type, std::int64_t block_rows,
           std::int64_t block_cols, std::vector<std::string> inputs = {}) {
  return [=](FileModel& m, const MatrixSize& s, SplitMix64& random) {
    const std::int64_t br = block_rows == 0 ? s.rows : block_rows;
    const std::int64_t bc = block_cols == 0 ? s.cols : block_cols;
    const std::int64_t lines = (s.rows + br - 1) / br;
    const std::int64_t groups = (s.cols + bc - 1) / bc;
    std::vector<float> scales;
    std::vector<bf16> halves;
    for (std::int64_t i = 0; i < lines * groups; ++i) {
      halves.push_back(float_to_bf16(random_scale(random)));
      scales.push_back(scale_type == "BF16" ? bf16_to_float(halves.back()) : random_scale(random));
    }
    std::vector<std::uint8_t> codes;
    std::vector<float> values;
    for (std::int64_t r = 0; r < s.rows; ++r) {
      for (std::int64_t c = 0; c < s.cols; ++c) {
        codes.push_back(random_e4m3(random));
        values.push_back(e4m3_to_float(codes.back()) *
                         scales[static_cast<std::size_t>(r / br * groups + c / bc)]);
      }
    }
    std::vector<std::int64_t> shape = {lines, groups};
    if (block_rows == 0) shape = {1};
    m.tensors[s.module + ".weight"] = {"F8_E4M3", {s.rows, s.cols}, bytes_of(codes)};
    m.tensors[s.module + "." + scale_name] = {
        scale_type, shape, scale_type == "BF16" ? bytes_of(halves) : bytes_of(scales)};
    for (const std::string& input : inputs) {
      m.tensors[s.module + "." + input] = {"F32", {}, bytes_of(std::vector<float>{0.05F})};
    }
    return values;
  };
}

Encode int8() {
  return [](FileModel& m, const MatrixSize& s, SplitMix64& random) {
    std::vector<std::int8_t> codes;
    std::vector<float> scales;
    std::vector<float> values;
    for (std::int64_t r = 0; r < s.rows; ++r) {
      scales.push_back(random_scale(random));
      for (std::int64_t c = 0; c < s.cols; ++c) {
        codes.push_back(static_cast<std::int8_t>(random()));  // -128 too
        values.push_back(static_cast<float>(codes.back()) * scales.back());
      }
    }
    m.tensors[s.module + ".weight"] = {"I8", {s.rows, s.cols}, bytes_of(codes)};
    m.tensors[s.module + ".weight_scale"] = {"F32", {s.rows, 1}, bytes_of(scales)};
    return values;
  };
}

/// Nibbles, scales and zero points of INT4 in one of three packings.
struct Int4 {
  std::int64_t rows, cols, group, groups;
  std::vector<unsigned> code;  // [rows, cols]
  std::vector<unsigned> zero;  // [rows, groups]
  std::vector<bf16> scale;     // [rows, groups], as BF16 or F16 bits
  [[nodiscard]] unsigned at(std::int64_t r, std::int64_t c) const {
    return code[static_cast<std::size_t>(r * cols + c)];
  }
  [[nodiscard]] unsigned zero_at(std::int64_t r, std::int64_t g) const {
    return zero[static_cast<std::size_t>(r * groups + g)];
  }
};

Int4 random_int4(const MatrixSize& s, std::int64_t group, bool symmetric, SplitMix64& random) {
  Int4 q{.rows = s.rows, .cols = s.cols, .group = group, .groups = (s.cols + group - 1) / group};
  for (std::int64_t i = 0; i < s.rows * s.cols; ++i)
    q.code.push_back(static_cast<unsigned>(random() & 15U));
  for (std::int64_t i = 0; i < s.rows * q.groups; ++i) {
    q.zero.push_back(symmetric ? 8U : 1U + static_cast<unsigned>(random() % 15));
    q.scale.push_back(static_cast<bf16>(0x2000 + random() % 0x800));  // small in F16 and in BF16
  }
  return q;
}

std::vector<float> values_of(const Int4& q, bool half) {
  std::vector<float> out;
  for (std::int64_t r = 0; r < q.rows; ++r) {
    for (std::int64_t c = 0; c < q.cols; ++c) {
      const bf16 bits = q.scale[static_cast<std::size_t>(r * q.groups + c / q.group)];
      const float scale = half ? half_to_float(bits) : bf16_to_float(bits);
      out.push_back(
          (static_cast<float>(q.at(r, c)) - static_cast<float>(q.zero_at(r, c / q.group))) * scale);
    }
  }
  return out;
}

/// Sets four bits of a word.
void put(std::vector<std::uint32_t>& words, std::int64_t word, int nibble, unsigned code) {
  words[static_cast<std::size_t>(word)] |= code << (4 * nibble);
}

/// compressed-tensors pack-quantized: eight inputs a word, zero points packed along the rows.
Encode packed_int4(std::int64_t group, bool symmetric) {
  return [=](FileModel& m, const MatrixSize& s, SplitMix64& random) {
    const Int4 q = random_int4(s, group, symmetric, random);
    const std::int64_t words = (s.cols + 7) / 8;
    std::vector<std::uint32_t> packed(static_cast<std::size_t>(s.rows * words));
    std::vector<std::uint32_t> zeros(static_cast<std::size_t>((s.rows + 7) / 8 * q.groups));
    for (std::int64_t r = 0; r < s.rows; ++r) {
      for (std::int64_t c = 0; c < s.cols; ++c) {
        put(packed, r * words + c / 8, static_cast<int>(c % 8), q.at(r, c));
      }
      for (std::int64_t g = 0; g < q.groups; ++g) {
        put(zeros, r / 8 * q.groups + g, static_cast<int>(r % 8), q.zero_at(r, g));
      }
    }
    m.tensors[s.module + ".weight_packed"] = {"I32", {s.rows, words}, bytes_of(packed)};
    m.tensors[s.module + ".weight_scale"] = {"BF16", {s.rows, q.groups}, bytes_of(q.scale)};
    m.tensors[s.module + ".weight_shape"] = {
        "I64", {2}, bytes_of(std::vector<std::int64_t>{s.rows, s.cols})};
    if (!symmetric) {
      m.tensors[s.module + ".weight_zero_point"] = {
          "I32", {(s.rows + 7) / 8, q.groups}, bytes_of(zeros)};
    }
    return values_of(q, false);
  };
}

Encode gptq(std::int64_t group, bool version_one) {
  return [=](FileModel& m, const MatrixSize& s, SplitMix64& random) {
    const std::int64_t size = group < 0 ? s.cols : group;
    const Int4 q = random_int4(s, size, false, random);
    std::vector<std::uint32_t> weight(static_cast<std::size_t>(s.cols / 8 * s.rows));
    std::vector<std::uint32_t> zeros(static_cast<std::size_t>(q.groups * s.rows / 8));
    std::vector<bf16> scales(q.scale.size());
    std::vector<std::int32_t> order;
    for (std::int64_t r = 0; r < s.rows; ++r) {
      for (std::int64_t c = 0; c < s.cols; ++c) {
        put(weight, c / 8 * s.rows + r, static_cast<int>(c % 8), q.at(r, c));
      }
      for (std::int64_t g = 0; g < q.groups; ++g) {
        put(zeros, g * (s.rows / 8) + r / 8, static_cast<int>(r % 8),
            q.zero_at(r, g) - (version_one ? 1 : 0));
        scales[static_cast<std::size_t>(g * s.rows + r)] =
            q.scale[static_cast<std::size_t>(r * q.groups + g)];
      }
    }
    for (std::int64_t c = 0; c < s.cols; ++c) order.push_back(static_cast<std::int32_t>(c / size));
    m.tensors[s.module + ".qweight"] = {"I32", {s.cols / 8, s.rows}, bytes_of(weight)};
    m.tensors[s.module + ".qzeros"] = {"I32", {q.groups, s.rows / 8}, bytes_of(zeros)};
    m.tensors[s.module + ".scales"] = {"F16", {q.groups, s.rows}, bytes_of(scales)};
    m.tensors[s.module + ".g_idx"] = {"I32", {s.cols}, bytes_of(order)};
    return values_of(q, true);
  };
}

Encode awq(std::int64_t group) {
  return [=](FileModel& m, const MatrixSize& s, SplitMix64& random) {
    constexpr int kOrder[8] = {0, 2, 4, 6, 1, 3, 5, 7};
    const Int4 q = random_int4(s, group, false, random);
    std::vector<std::uint32_t> weight(static_cast<std::size_t>(s.cols * s.rows / 8));
    std::vector<std::uint32_t> zeros(static_cast<std::size_t>(q.groups * s.rows / 8));
    std::vector<bf16> scales(q.scale.size());
    for (std::int64_t word = 0; word < s.rows / 8; ++word) {
      for (int nibble = 0; nibble < 8; ++nibble) {
        const std::int64_t r = word * 8 + kOrder[nibble];
        for (std::int64_t c = 0; c < s.cols; ++c) {
          put(weight, c * (s.rows / 8) + word, nibble, q.at(r, c));
        }
        for (std::int64_t g = 0; g < q.groups; ++g) {
          put(zeros, g * (s.rows / 8) + word, nibble, q.zero_at(r, g));
        }
      }
    }
    for (std::int64_t r = 0; r < s.rows; ++r) {
      for (std::int64_t g = 0; g < q.groups; ++g) {
        scales[static_cast<std::size_t>(g * s.rows + r)] =
            q.scale[static_cast<std::size_t>(r * q.groups + g)];
      }
    }
    m.tensors[s.module + ".qweight"] = {"I32", {s.cols, s.rows / 8}, bytes_of(weight)};
    m.tensors[s.module + ".qzeros"] = {"I32", {q.groups, s.rows / 8}, bytes_of(zeros)};
    m.tensors[s.module + ".scales"] = {"F16", {q.groups, s.rows}, bytes_of(scales)};
    return values_of(q, true);
  };
}

/// Four-bit floats: E4M3 scales of 16 under a scale of the tensor, or E8M0 scales of 32.
Encode fp4(std::string weight, std::string global_name, bool divisor) {
  return [=](FileModel& m, const MatrixSize& s, SplitMix64& random) {
    const std::int64_t group = global_name.empty() ? 32 : 16;
    const std::int64_t groups = (s.cols + group - 1) / group;
    const std::int64_t bytes = (s.cols + 1) / 2;
    const float global = divisor ? 512.0F : 0.002F;
    std::vector<std::uint8_t> codes(static_cast<std::size_t>(s.rows * bytes));
    std::vector<std::uint8_t> scales;
    std::vector<float> values;
    for (std::int64_t r = 0; r < s.rows; ++r) {
      for (std::int64_t c = 0; c < s.cols; ++c) {
        if (c % group == 0) {
          scales.push_back(static_cast<std::uint8_t>(global_name.empty() ? 110 + random() % 10
                                                                         : 8 + random() % 100));
        }
        const auto code = static_cast<std::uint8_t>(random() & 15U);
        codes[static_cast<std::size_t>(r * bytes + c / 2)] |=
            static_cast<std::uint8_t>(c % 2 == 0 ? code : code << 4);
        const float scale =
            global_name.empty() ? e8m0_to_float(scales.back()) : e4m3_to_float(scales.back());
        const float value = e2m1_to_float(code) * scale;
        values.push_back(global_name.empty() ? value : divisor ? value / global : value * global);
      }
    }
    m.tensors[s.module + "." + weight] = {"U8", {s.rows, bytes}, bytes_of(codes)};
    m.tensors[s.module + ".weight_scale"] = {
        global_name.empty() ? "U8" : "F8_E4M3", {s.rows, groups}, bytes_of(scales)};
    if (!global_name.empty()) {
      m.tensors[s.module + "." + global_name] = {
          "F32", divisor ? std::vector<std::int64_t>{1} : std::vector<std::int64_t>{},
          bytes_of(std::vector<float>{global})};
    }
    return values;
  };
}

std::string compressed(const std::string& format, const std::string& weights,
                       const std::string& inputs) {
  return fmt::format(
      R"({{"quant_method": "compressed-tensors", "format": "{}", "quantization_status":
      "compressed", "ignore": ["lm_head"], "kv_cache_scheme": null, "config_groups": {{"group_0":
      {{"targets": ["Linear"], "weights": {}, "input_activations": {},
      "output_activations": null}}}}}})",
      format, weights, inputs);
}

}  // namespace

std::vector<MatrixSize> matrices() {
  const std::string p = "model.layers.0.";
  return {{p + "self_attn.q_proj", kHidden, kHidden},  {p + "self_attn.k_proj", kKvWidth, kHidden},
          {p + "self_attn.v_proj", kKvWidth, kHidden}, {p + "self_attn.o_proj", kHidden, kHidden},
          {p + "mlp.gate_proj", kFeatures, kHidden},   {p + "mlp.up_proj", kFeatures, kHidden},
          {p + "mlp.down_proj", kHidden, kFeatures}};
}

std::string random_bf16(SplitMix64& random, std::int64_t count) {
  std::vector<bf16> out(static_cast<std::size_t>(count));
  for (bf16& value : out) value = float_to_bf16(static_cast<float>(random.uniform() * 0.2 - 0.1));
  return bytes_of(out);
}

FileModel make_model(const std::string& quantization, const Encode& encode) {
  SplitMix64 random(7);
  FileModel m = base_model(random);
  m.quantization = quantization;
  for (const MatrixSize& size : matrices()) m.expected[size.module] = encode(m, size, random);
  return m;
}

void save(const FileModel& m, const fs::path& folder) {
  fs::create_directories(folder);
  Json header{Json::Object{}};
  std::string data;
  for (const auto& [name, tensor] : m.tensors) {
    Json shape{Json::Array{}};
    for (const std::int64_t size : tensor.shape) shape.push_back(size);
    Json offsets{Json::Array{}};
    offsets.push_back(static_cast<std::int64_t>(data.size()));
    data += tensor.bytes;
    offsets.push_back(static_cast<std::int64_t>(data.size()));
    Json entry;
    entry.set("dtype", tensor.dtype);
    entry.set("shape", std::move(shape));
    entry.set("data_offsets", std::move(offsets));
    header.set(name, std::move(entry));
  }
  std::ofstream(folder / "model.safetensors", std::ios::binary)
      << test::safetensors_bytes(header.dump(), data);
  std::ofstream(folder / "config.json") << fmt::format(
      R"({{"model_type": "llama", "hidden_size": {}, "num_hidden_layers": 1,
  "num_attention_heads": {}, "num_key_value_heads": 1, "intermediate_size": {}, "vocab_size": {},
  "max_position_embeddings": 64, "quantization_config": {}}})",
      kHidden, kHeads, kFeatures, kVocab, m.quantization);
}

std::vector<Case> cases() {
  const std::string token = R"({"num_bits": 8, "type": "float", "strategy": "token",
      "dynamic": true, "symmetric": true})";
  const std::string tensor = R"({"num_bits": 8, "type": "float", "strategy": "tensor",
      "dynamic": false, "symmetric": true})";
  return {
      {"compressed_fp8_static", compressed("float-quantized", tensor, tensor),
       fp8("weight_scale", "BF16", 0, 0, {"input_scale"})},
      {"compressed_fp8_dynamic",
       compressed("float-quantized", R"({"num_bits": 8, "type": "float", "strategy": "channel",
           "dynamic": false})",
                  token),
       fp8("weight_scale", "BF16", 1, 0)},
      {"compressed_fp8_block",
       compressed("float-quantized", R"({"num_bits": 8, "type": "float", "strategy": "block",
           "block_structure": [128, 128]})",
                  R"({"num_bits": 8, "type": "float", "strategy": "group", "group_size": 128,
           "dynamic": true})"),
       fp8("weight_scale", "F32", 128, 128)},
      {"compressed_int8",
       compressed("int-quantized", R"({"num_bits": 8, "type": "int", "strategy": "channel"})",
                  R"({"num_bits": 8, "type": "int", "strategy": "token", "dynamic": true})"),
       int8()},
      {"compressed_w4a16",
       compressed("pack-quantized", R"({"num_bits": 4, "type": "int", "strategy": "group",
           "group_size": 128, "symmetric": true, "actorder": null})",
                  "null"),
       packed_int4(128, true)},
      {"compressed_w4a16_asymmetric",
       compressed("pack-quantized", R"({"num_bits": 4, "type": "int", "strategy": "group",
           "group_size": 32, "symmetric": false})",
                  "null"),
       packed_int4(32, false)},
      {"compressed_nvfp4",
       compressed("nvfp4-pack-quantized", R"({"num_bits": 4, "type": "float",
           "strategy": "tensor_group", "group_size": 16})",
                  "null"),
       fp4("weight_packed", "weight_global_scale", true)},
      {"compressed_mxfp4",
       compressed("mxfp4-pack-quantized", R"({"num_bits": 4, "type": "float",
           "strategy": "group", "group_size": 32})",
                  "null"),
       fp4("weight_packed", "", false)},
      {"fp8_static", R"({"quant_method": "fp8", "activation_scheme": "static"})",
       fp8("weight_scale", "F32", 0, 0, {"input_scale"})},
      {"fp8_dynamic", R"({"quant_method": "fp8", "activation_scheme": "dynamic"})",
       fp8("weight_scale", "F32", 0, 0)},
      {"deepseek_block", R"({"quant_method": "fp8", "activation_scheme": "dynamic",
           "fmt": "e4m3", "weight_block_size": [128, 128]})",
       fp8("weight_scale_inv", "F32", 128, 128)},
      {"fbgemm", R"({"quant_method": "fbgemm_fp8", "activation_scale_ub": 1200.0,
           "modules_to_not_convert": ["lm_head"]})",
       fp8("weight_scale", "F32", 1, 0)},
      {"modelopt_fp8", R"({"quant_method": "modelopt", "quant_algo": "FP8",
           "ignore": ["lm_head"]})",
       fp8("weight_scale", "F32", 0, 0, {"input_scale"})},
      {"modelopt_nvfp4", R"({"quant_method": "modelopt", "quantization": {"quant_algo": "NVFP4",
           "group_size": 16, "exclude_modules": ["lm_head"], "kv_cache_quant_algo": null}})",
       fp4("weight", "weight_scale_2", false)},
      {"gptq", R"({"quant_method": "gptq", "bits": 4, "group_size": 128, "desc_act": false,
           "sym": true})",
       gptq(128, true)},
      {"gptq_v2_one_group", R"({"quant_method": "gptq", "bits": 4, "group_size": -1,
           "checkpoint_format": "gptq_v2"})",
       gptq(-1, false)},
      {"awq", R"({"quant_method": "awq", "bits": 4, "group_size": 64, "zero_point": true,
           "version": "gemm"})",
       awq(64)},
  };
}

}  // namespace assay::engine::test_files
