// The conversions that loading weights runs through, in every kernel variant against number.h.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "engine/ops/cpu_kernels.h"

namespace assay::engine {
namespace {

class Convert : public ::testing::TestWithParam<std::string> {
 protected:
  const CpuKernels& kernels_ = cpu_kernels(GetParam());
};

/// Every BF16 value, and its neighbours in FP32.
std::vector<float> inputs() {
  std::vector<float> out;
  for (unsigned bits = 0; bits < 0x10000; ++bits) {
    const float value = bf16_to_float(static_cast<bf16>(bits));
    // Subnormals are zero wherever the engine computes.
    if (std::fpclassify(value) == FP_SUBNORMAL) continue;
    out.push_back(value);
    out.push_back(std::nextafterf(value, 1e30F));
  }
  return out;
}

TEST_P(Convert, EncodesEveryValueAsTheScalarCodeDoes) {
  const std::vector<float> x = inputs();
  for (const float scale : {1.0F, 0.0173F}) {
    std::vector<e4m3> codes(x.size() - 3);  // a length that is no multiple of a vector
    kernels_.encode_e4m3(x.data(), static_cast<std::int64_t>(codes.size()), scale, codes.data());
    for (std::size_t i = 0; i < codes.size(); ++i) {
      if (std::isnan(x[i])) {
        EXPECT_EQ(codes[i] & 0x7F, 0x7F);
      } else {
        ASSERT_EQ(codes[i], float_to_e4m3(x[i] / scale)) << x[i] << " / " << scale;
      }
    }
  }
}

TEST_P(Convert, RoundsAndWidensBf16) {
  const std::vector<float> x = inputs();
  std::vector<bf16> rounded(x.size() - 5);
  const auto count = static_cast<std::int64_t>(rounded.size());
  kernels_.round_bf16(x.data(), count, rounded.data());
  std::vector<std::byte> bytes(1);  // from an odd address
  const auto* raw = reinterpret_cast<const std::byte*>(rounded.data());
  bytes.insert(bytes.end(), raw, raw + 2 * rounded.size());
  std::vector<float> wide(rounded.size());
  kernels_.widen_bf16(bytes.data() + 1, count, wide.data());
  for (std::size_t i = 0; i < rounded.size(); ++i) {
    ASSERT_EQ(rounded[i], float_to_bf16(x[i])) << x[i];
    ASSERT_EQ(float_to_bf16(wide[i]), rounded[i]);
  }
}

TEST_P(Convert, ScaleIsTheLargestMagnitudeOver448) {
  for (const std::int64_t count : {1, 15, 16, 17, 100}) {
    std::vector<float> x(static_cast<std::size_t>(count), 0.5F);
    x.back() = -3.0F;
    EXPECT_EQ(kernels_.e4m3_scale_of(x.data(), count), e4m3_scale(3.0F));
    x.back() = std::numeric_limits<float>::quiet_NaN();
    EXPECT_TRUE(std::isnan(kernels_.e4m3_scale_of(x.data(), count)));
  }
  const float zeros[4] = {};
  EXPECT_EQ(kernels_.e4m3_scale_of(zeros, 4), e4m3_scale(0.0F));
}

INSTANTIATE_TEST_SUITE_P(Kernels, Convert, ::testing::ValuesIn(available_cpu_kernels()),
                         [](const auto& variant) { return variant.param; });

}  // namespace
}  // namespace assay::engine
