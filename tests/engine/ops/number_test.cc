#include "engine/ops/number.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace assay::engine {
namespace {

// All codes and all BF16 inputs: small enough to leave nothing out.

double definition(e4m3 code) {
  const int exponent = (code >> 3) & 15;
  const int mantissa = code & 7;
  const double magnitude =
      exponent == 0 ? std::ldexp(mantissa, -9) : std::ldexp(8 + mantissa, exponent - 10);
  return (code & 0x80) != 0 ? -magnitude : magnitude;
}

bool is_nan_code(unsigned code) { return (code & 0x7FU) == 0x7FU; }

TEST(Number, EveryE4m3CodeDecodesToItsDefinition) {
  for (unsigned code = 0; code < 256; ++code) {
    const float value = e4m3_to_float(static_cast<e4m3>(code));
    if (is_nan_code(code)) {
      EXPECT_TRUE(std::isnan(value));
    } else {
      EXPECT_EQ(static_cast<double>(value), definition(static_cast<e4m3>(code))) << code;
    }
  }
}

TEST(Number, EveryE4m3CodeSurvivesDecodingAndEncoding) {
  for (unsigned code = 0; code < 256; ++code) {
    const e4m3 back = float_to_e4m3(e4m3_to_float(static_cast<e4m3>(code)));
    EXPECT_EQ(back, static_cast<e4m3>(code));
  }
}

/// The nearest code by a search in double precision, ties to the even code.
e4m3 nearest(float value) {
  const double magnitude = std::min(std::fabs(static_cast<double>(value)), 448.0);
  unsigned best = 0;
  for (unsigned code = 1; code < 0x7F; ++code) {
    const double distance = std::fabs(definition(static_cast<e4m3>(code)) - magnitude);
    const double least = std::fabs(definition(static_cast<e4m3>(best)) - magnitude);
    if (distance < least || (distance == least && code % 2 == 0)) best = code;
  }
  return static_cast<e4m3>(best | (std::signbit(value) ? 0x80U : 0U));
}

TEST(Number, EveryBf16InputEncodesToTheNearestE4m3Value) {
  for (unsigned bits = 0; bits < 0x10000; ++bits) {
    const float value = bf16_to_float(static_cast<bf16>(bits));
    if (std::isnan(value)) {
      EXPECT_TRUE(is_nan_code(float_to_e4m3(value)));
    } else {
      ASSERT_EQ(float_to_e4m3(value), nearest(value)) << value;
    }
  }
}

TEST(Number, ValuesAroundEveryRoundingBoundaryEncodeToTheNearestE4m3Value) {
  for (unsigned code = 0; code < 0x7E; ++code) {
    const double middle =
        (definition(static_cast<e4m3>(code)) + definition(static_cast<e4m3>(code + 1))) / 2;
    const auto exact = static_cast<float>(middle);
    for (const float x : {std::nextafterf(exact, 0.0F), exact, std::nextafterf(exact, 1e9F)}) {
      EXPECT_EQ(float_to_e4m3(x), nearest(x)) << x;
      EXPECT_EQ(float_to_e4m3(-x), nearest(-x)) << -x;
    }
  }
}

TEST(Number, Bf16RoundsToNearestEvenAndKeepsNan) {
  EXPECT_EQ(float_to_bf16(1.0F + 0x1p-8F), 0x3F80);            // tie to even
  EXPECT_EQ(float_to_bf16(1.0F + 0x1p-7F + 0x1p-8F), 0x3F82);  // tie to even
  EXPECT_EQ(float_to_bf16(std::nextafterf(1.0F + 0x1p-8F, 2.0F)), 0x3F81);
  EXPECT_TRUE(std::isnan(bf16_to_float(float_to_bf16(std::nanf("")))));
  EXPECT_EQ(float_to_bf16(3.4e38F), 0x7F80);
  for (unsigned bits = 0; bits < 0x7F80; ++bits) {
    ASSERT_EQ(float_to_bf16(bf16_to_float(static_cast<bf16>(bits))), bits);
  }
}

TEST(Number, ScaleOfAnAllZeroGroupIsTheFloor) {
  EXPECT_EQ(e4m3_scale(0), 0x1p-40F);
  EXPECT_EQ(e4m3_scale(448), 1.0F);
  EXPECT_TRUE(std::isnan(e4m3_scale(std::nanf(""))));
}

// ---- E5M2, E2M1, E8M0: every code, every boundary
// -------------------------------------------------

double e5m2_definition(unsigned code) {
  const int exponent = static_cast<int>(code >> 2) & 31;
  const int mantissa = static_cast<int>(code & 3U);
  const double magnitude =
      exponent == 0 ? std::ldexp(mantissa, -16) : std::ldexp(4 + mantissa, exponent - 17);
  return (code & 0x80U) != 0 ? -magnitude : magnitude;
}

TEST(Number, EveryE5m2CodeDecodesToItsDefinitionAndSurvives) {
  for (unsigned code = 0; code < 256; ++code) {
    const float value = e5m2_to_float(static_cast<e5m2>(code));
    const unsigned magnitude = code & 0x7FU;
    if (magnitude > 0x7C) {
      EXPECT_TRUE(std::isnan(value));
      EXPECT_GT(float_to_e5m2(value) & 0x7FU, 0x7CU);
    } else if (magnitude == 0x7C) {
      EXPECT_TRUE(std::isinf(value));
      EXPECT_EQ(float_to_e5m2(value) & 0x7FU, 0x7BU) << "saturates";
    } else {
      EXPECT_EQ(static_cast<double>(value), e5m2_definition(code)) << code;
      EXPECT_EQ(float_to_e5m2(value), code);
    }
  }
}

/// The nearest code by a search in double precision, ties to the even code.
template <typename Definition>
unsigned nearest_code(double value, unsigned count, const Definition& definition) {
  const double magnitude = std::min(std::fabs(value), definition(count - 1));
  unsigned best = 0;
  for (unsigned code = 1; code < count; ++code) {
    const double distance = std::fabs(definition(code) - magnitude);
    const double least = std::fabs(definition(best) - magnitude);
    if (distance < least || (distance == least && code % 2 == 0)) best = code;
  }
  return best;
}

TEST(Number, E5m2AndE2m1RoundToNearestEvenForEveryBf16AndAroundEveryBoundary) {
  const auto e2m1_definition = [](unsigned code) {
    constexpr double kValues[8] = {0, 0.5, 1, 1.5, 2, 3, 4, 6};
    return kValues[code];
  };
  const auto check = [&](float x) {
    const unsigned sign = std::signbit(x) ? 1 : 0;
    ASSERT_EQ(float_to_e5m2(x), nearest_code(x, 0x7C, e5m2_definition) | sign << 7) << x;
    ASSERT_EQ(float_to_e2m1(x), nearest_code(x, 8, e2m1_definition) | sign << 3) << x;
  };
  for (unsigned bits = 0; bits < 0x10000; ++bits) {
    const float value = bf16_to_float(static_cast<bf16>(bits));
    if (!std::isnan(value)) check(value);
  }
  const auto around = [&](double middle) {
    const auto exact = static_cast<float>(middle);
    for (const float x : {std::nextafterf(exact, 0.0F), exact, std::nextafterf(exact, 1e9F)}) {
      check(x);
      check(-x);
    }
  };
  for (unsigned c = 0; c < 0x7B; ++c) around((e5m2_definition(c) + e5m2_definition(c + 1)) / 2);
  for (unsigned c = 0; c < 7; ++c) around((e2m1_definition(c) + e2m1_definition(c + 1)) / 2);
  around(6);
  around(57344);
}

TEST(Number, EveryE2m1CodeSurvivesAndNanSaturates) {
  for (unsigned code = 0; code < 16; ++code) {
    EXPECT_EQ(float_to_e2m1(e2m1_to_float(static_cast<e2m1>(code))), code);
  }
  EXPECT_EQ(e2m1_to_float(float_to_e2m1(std::nanf(""))), 6.0F);
}

TEST(Number, EveryE8m0CodeIsItsPowerOfTwoAndFloorsWhatLiesAbove) {
  for (unsigned code = 0; code < 255; ++code) {
    const float value = e8m0_to_float(static_cast<e8m0>(code));
    EXPECT_EQ(static_cast<double>(value), std::ldexp(1.0, static_cast<int>(code) - 127));
    EXPECT_EQ(float_to_e8m0_floor(value), code);
    EXPECT_EQ(float_to_e8m0_floor(std::nextafterf(value, INFINITY)), code);
    if (code > 0) {
      EXPECT_EQ(float_to_e8m0_floor(std::nextafterf(value, 0.0F)), code - 1);
    }
  }
  EXPECT_TRUE(std::isnan(e8m0_to_float(255)));
  for (const float x : {std::nanf(""), INFINITY, -1.0F}) EXPECT_EQ(float_to_e8m0_floor(x), 255);
  EXPECT_EQ(float_to_e8m0_floor(0.0F), 0);
}

TEST(Number, HalfPrecisionCornersDecode) {
  EXPECT_EQ(half_to_float(0x3C00), 1.0F);
  EXPECT_EQ(half_to_float(0xC000), -2.0F);
  EXPECT_EQ(half_to_float(0x0001), 0x1p-24F);
  EXPECT_EQ(half_to_float(0x7BFF), 65504.0F);
  EXPECT_TRUE(std::isinf(half_to_float(0x7C00)));
}

}  // namespace
}  // namespace assay::engine
