// Any bytes as a safetensors file: every range that is accepted lies inside the file, fits shape
// and type, and together they are the data, each byte once.
#include <algorithm>
#include <span>
#include <string>

#include "engine/safetensors.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/input.h"
#include "tests/support/safetensors_file.h"

namespace assay::fuzz {

std::vector<std::string> seeds() {
  const auto file = test::safetensors_bytes;
  return {
      "",
      file(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", "12345678"),
      file(R"({"__metadata__":{"format":"pt"},)"
           R"("b":{"dtype":"BF16","shape":[1,2],"data_offsets":[4,8]},)"
           R"("a":{"dtype":"I32","shape":[],"data_offsets":[0,4]},)"
           R"("e":{"dtype":"F8_E4M3","shape":[0,9],"data_offsets":[8,8]}}   )",
           "12345678"),
      file(R"({"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}})", ""),
      file(R"({"a":{"dtype":"U8","shape":[9223372036854775807],"data_offsets":[1,0]}})", "x"),
      file(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
           R"("b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})",
           "x"),
      std::string("\xff\xff\xff\xff\xff\xff\xff\xff{", 9),
      "version https://git-lfs.github.com/spec/v1\n",
      "\x80\x02}q",
      "<!DOCTYPE html><html>",
  };
}

}  // namespace assay::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace assay;  // NOLINT(google-build-using-namespace): one function
  const std::span bytes(reinterpret_cast<const std::byte*>(data), size);
  fuzz::accepted([&] {
    const engine::SafetensorsHeader header = engine::parse_safetensors(bytes, "input");
    std::vector<std::pair<std::int64_t, std::int64_t>> ranges;
    for (const engine::TensorEntry& tensor : header.tensors) {
      std::int64_t bits = engine::dtype_bits(tensor.dtype);
      for (const std::int64_t n : tensor.shape) bits *= n;
      ASSAY_CHECK(tensor.end - tensor.begin == bits / 8, tensor.name);
      ranges.emplace_back(tensor.begin, tensor.end);
    }
    std::sort(ranges.begin(), ranges.end());
    std::int64_t at = header.data_begin;
    for (const auto& [begin, end] : ranges) {
      ASSAY_CHECK(begin == at && end >= begin, "ranges");
      at = end;
    }
    ASSAY_CHECK(at == static_cast<std::int64_t>(size), "coverage");
  });
  return 0;
}
