// 16 FP32 lanes in plain C++, and what each function of a vector type means. For
// kernels_portable.cc alone.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "engine/ops/bf16_compression.h"
#include "engine/ops/code_tables.h"
#include "engine/ops/number.h"

namespace {

struct Portable {
  using bf16 = assay::engine::bf16;
  struct V {
    float x[16];
  };
  struct P {  // 16 pairs of BF16; the even element is the lower half
    std::uint32_t x[16];
  };
  static constexpr int kGemmRows = 1;
  /// Rows for which a product decodes weights in registers, two groups of outputs at a time; 0: it
  /// decodes a block into memory.
  static constexpr int kTileRows = 0;

  template <typename F>
  static V lanes(F f) {
    V out;
    for (int i = 0; i < 16; ++i) out.x[i] = f(i);
    return out;
  }
  static V zero() { return set(0); }
  static V set(float value) {
    return lanes([&](int) { return value; });
  }
  static V load(const float* p) {
    V out;
    std::memcpy(out.x, p, sizeof(out.x));
    return out;
  }
  static void store(float* p, const V& v) { std::memcpy(p, v.x, sizeof(v.x)); }
  static V add(const V& a, const V& b) {
    return lanes([&](int i) { return a.x[i] + b.x[i]; });
  }
  static V sub(const V& a, const V& b) {
    return lanes([&](int i) { return a.x[i] - b.x[i]; });
  }
  static V mul(const V& a, const V& b) {
    return lanes([&](int i) { return a.x[i] * b.x[i]; });
  }
  static V div(const V& a, const V& b) {
    return lanes([&](int i) { return a.x[i] / b.x[i]; });
  }
  /// b where either is NaN, as the x86 instruction has it.
  static V max(const V& a, const V& b) {
    return lanes([&](int i) { return a.x[i] > b.x[i] ? a.x[i] : b.x[i]; });
  }
  static V min(const V& a, const V& b) {
    return lanes([&](int i) { return a.x[i] < b.x[i] ? a.x[i] : b.x[i]; });
  }
  static V abs(const V& a) {
    return lanes([&](int i) { return std::fabs(a.x[i]); });
  }
  /// value * 2^n where n is the integer in the low bits of `magic` (an integer + 1.5 * 2^23).
  static V shift_exponent(const V& value, const V& magic) {
    return lanes([&](int i) {
      const std::uint32_t n = std::bit_cast<std::uint32_t>(magic.x[i]) << 23;
      return std::bit_cast<float>(std::bit_cast<std::uint32_t>(value.x[i]) + n);
    });
  }
  /// 0 in lanes where x < limit; NaN in x keeps the lane.
  static V zero_below(const V& value, const V& x, float limit) {
    return lanes([&](int i) { return x.x[i] < limit ? 0.0F : value.x[i]; });
  }
  static V load_bf16(const bf16* p) {
    return lanes([&](int i) { return assay::engine::bf16_to_float(p[i]); });
  }
  /// The nearest BF16 values, as FP32.
  static V round_bf16(const V& v) {
    return lanes(
        [&](int i) { return assay::engine::bf16_to_float(assay::engine::float_to_bf16(v.x[i])); });
  }
  /// REQUIRES: values that are BF16 already.
  static void store_bf16(bf16* p, const V& rounded) {
    for (int i = 0; i < 16; ++i) {
      p[i] = static_cast<bf16>(std::bit_cast<std::uint32_t>(rounded.x[i]) >> 16);
    }
  }
  /// The nearest E4M3 values, saturated, as FP32; NaN stays NaN.
  static V round_e4m3(const V& v) {
    return lanes([&](int i) {
      if (std::isnan(v.x[i])) return v.x[i];
      const std::uint32_t sign = std::bit_cast<std::uint32_t>(v.x[i]) & 0x80000000U;
      float mag = std::fabs(v.x[i]);
      mag = assay::engine::kE4m3Max < mag ? assay::engine::kE4m3Max : mag;
      std::uint32_t bits = std::bit_cast<std::uint32_t>(mag);
      if (mag < 0x1p-6F) {
        bits = std::bit_cast<std::uint32_t>((mag + 0x1p14F) - 0x1p14F);
      } else {
        bits = (bits + 0x7FFFFU + ((bits >> 20) & 1U)) & 0xFFF00000U;
      }
      return std::bit_cast<float>(bits | sign);
    });
  }
  /// REQUIRES: values that are E4M3 already.
  static void store_e4m3(assay::engine::e4m3* p, const V& rounded) {
    for (int i = 0; i < 16; ++i) p[i] = assay::engine::float_to_e4m3(rounded.x[i]);
  }
  static P load_pairs(const bf16* p) {
    P out;
    std::memcpy(out.x, p, sizeof(out.x));
    return out;
  }
  static void store_pairs(bf16* p, const P& v) { std::memcpy(p, v.x, sizeof(v.x)); }
  static P broadcast_pair(const bf16* p) {
    std::uint32_t bits = 0;
    std::memcpy(&bits, p, sizeof(bits));
    P out;
    for (std::uint32_t& lane : out.x) lane = bits;
    return out;
  }
  /// acc + odd * odd, then + even * even; the products are exact in FP32.
  static V dot(const V& acc, const P& w, const P& a) {
    return lanes([&](int i) {
      const float odd =
          std::bit_cast<float>(w.x[i] & 0xFFFF0000U) * std::bit_cast<float>(a.x[i] & 0xFFFF0000U);
      const float even = std::bit_cast<float>(w.x[i] << 16) * std::bit_cast<float>(a.x[i] << 16);
      return (acc.x[i] + odd) + even;
    });
  }

  /// One line of 64 E4M3 codes to two vectors of pairs (layout: engine/ops/gemm.h).
  struct Decoder {
    bf16 table[256];
    Decoder() {
      for (unsigned i = 0; i < 256; ++i) {
        table[i] = assay::engine::e4m3_to_bf16(static_cast<std::uint8_t>(i));
      }
    }
    void decode(const std::byte* line, P& first, P& second) const {
      place_line([&](int i) -> std::uint32_t { return table[static_cast<std::uint8_t>(line[i])]; },
                 first, second);
    }
  };

  /// Puts the 64 values of a line, value(i), into two vectors of pairs (layout: engine/ops/gemm.h).
  template <typename F>
  static void place_line(F value, P& first, P& second) {
    for (int i = 0; i < 64; ++i) {
      std::uint32_t& lane = (i % 16 < 8 ? first : second).x[i / 16 * 4 + i % 8 / 2];
      const std::uint32_t bits = value(i);
      lane = i % 2 == 0 ? bits : lane | bits << 16U;
    }
  }
  static std::uint32_t bf16_of(const assay::engine::Bf16Bytes<16>& bytes, unsigned code) {
    return static_cast<std::uint32_t>(bytes.high[code]) << 8U | bytes.low[code];
  }

  /// The values of 16 rows as the bytes of a line.
  static P spread_rows(const std::uint8_t* rows) {
    std::uint8_t bytes[64];
    for (int i = 0; i < 64; ++i) bytes[i] = rows[i / 16 * 4 + i % 8 / 2];
    P out;
    std::memcpy(out.x, bytes, sizeof(bytes));
    return out;
  }

  /// Both values of each row's pair times the row's scale. REQUIRES: products that are BF16.
  static P scale_pairs(const P& pairs, const V& scale) {
    P out;
    for (int i = 0; i < 16; ++i) {
      const float even = std::bit_cast<float>(pairs.x[i] << 16U) * scale.x[i];
      const float odd = std::bit_cast<float>(pairs.x[i] & 0xFFFF0000U) * scale.x[i];
      out.x[i] = std::bit_cast<std::uint32_t>(even) >> 16U |
                 (std::bit_cast<std::uint32_t>(odd) & 0xFFFF0000U);
    }
    return out;
  }

  /// A line of 64 INT8 values.
  struct IntegerDecoder {
    static void decode(const std::byte* line, P& first, P& second) {
      place_line(
          [&](int i) {
            const auto value = static_cast<float>(static_cast<std::int8_t>(line[i]));
            return std::bit_cast<std::uint32_t>(value) >> 16U;
          },
          first, second);
    }
  };

  /// A line of 64 four-bit codes.
  struct NibbleDecoder {
    static unsigned code(const std::byte* line, int i) {
      const auto both = static_cast<unsigned>(line[i % 32]);
      return i < 32 ? both & 15U : both >> 4U;
    }
    static void e2m1(const std::byte* line, P& first, P& second) {
      place_line([&](int i) { return bf16_of(assay::engine::kE2m1Bytes, code(line, i)); }, first,
                 second);
    }
    /// INT4 less `zeros`, of spread_rows.
    static void integers(const std::byte* line, const P& zeros, P& first, P& second) {
      std::uint8_t zero[64];
      std::memcpy(zero, zeros.x, sizeof(zero));
      place_line(
          [&](int i) {
            const auto value = static_cast<float>(static_cast<int>(code(line, i)) - zero[i]);
            return std::bit_cast<std::uint32_t>(value) >> 16U;
          },
          first, second);
    }
  };

  /// The two vectors of pairs of one group of rows from a compressed quad (bf16_compression.h).
  struct Bf16Decoder {
    assay::engine::Bf16ExponentBytes bytes;
    explicit Bf16Decoder(const assay::engine::Bf16ExponentBytes& table) : bytes(table) {}
    void decode(const std::byte* quad, int group, P& first, P& second) const {
      const std::byte* codes = quad + (4 + group / 2) * 64;
      place_line(
          [&](int i) {
            const auto rest = static_cast<unsigned>(quad[group * 64 + i]);
            const unsigned code = (static_cast<unsigned>(codes[i]) >> (group % 2 * 4)) & 15U;
            const unsigned high = bytes.high[code] | (rest & 0x80U);
            return high << 8U | bytes.low[code] | (rest & 0x7FU);
          },
          first, second);
    }
  };
};

}  // namespace
