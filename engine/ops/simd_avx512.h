// 16 FP32 lanes in one 512-bit register: AVX-512 with BF16 and VBMI. For kernels_avx512.cc alone;
// see simd_portable.h for what each function means.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "engine/ops/bf16_compression.h"
#include "engine/ops/code_tables.h"
#include "engine/ops/number.h"

namespace {

struct Avx512 {
  using bf16 = assay::engine::bf16;
  using V = __m512;
  using P = __m512i;
  static constexpr int kGemmRows = 6;
  static constexpr int kTileRows = 6;  // see simd_portable.h

  static V zero() { return _mm512_setzero_ps(); }
  static V set(float x) { return _mm512_set1_ps(x); }
  static V load(const float* p) { return _mm512_loadu_ps(p); }
  static void store(float* p, V v) { _mm512_storeu_ps(p, v); }
  static V add(V a, V b) { return _mm512_add_ps(a, b); }
  static V sub(V a, V b) { return _mm512_sub_ps(a, b); }
  static V mul(V a, V b) { return _mm512_mul_ps(a, b); }
  static V div(V a, V b) { return _mm512_div_ps(a, b); }
  static V max(V a, V b) { return _mm512_max_ps(a, b); }
  static V min(V a, V b) { return _mm512_min_ps(a, b); }
  static V abs(V a) { return _mm512_abs_ps(a); }
  static V shift_exponent(V value, V magic) {
    const __m512i n = _mm512_slli_epi32(_mm512_castps_si512(magic), 23);
    return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(value), n));
  }
  static V zero_below(V value, V x, float limit) {
    const __mmask16 keep = _mm512_cmp_ps_mask(x, set(limit), _CMP_NLT_UQ);
    return _mm512_maskz_mov_ps(keep, value);
  }
  static V load_bf16(const bf16* p) {
    const __m256i half = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
  }
  static V round_bf16(V v) {
    const __m512i bits = _mm512_castps_si512(v);
    const __m512i one = _mm512_set1_epi32(1);
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), one);
    const __m512i sum = _mm512_add_epi32(_mm512_add_epi32(bits, _mm512_set1_epi32(0x7FFF)), odd);
    const __m512i quiet = _mm512_or_si512(bits, _mm512_set1_epi32(0x400000));
    const __mmask16 nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
    const __m512i mixed = _mm512_mask_mov_epi32(sum, nan, quiet);
    return _mm512_castsi512_ps(
        _mm512_and_si512(mixed, _mm512_set1_epi32(static_cast<int>(0xFFFF0000U))));
  }
  static void store_bf16(bf16* p, V rounded) {
    const __m512i bits = _mm512_srli_epi32(_mm512_castps_si512(rounded), 16);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtepi32_epi16(bits));
  }
  static V round_e4m3(V v) {
    const __m512i sign_bit = _mm512_set1_epi32(static_cast<int>(0x80000000U));
    const __m512i bits = _mm512_castps_si512(v);
    const __m512i sign = _mm512_and_si512(bits, sign_bit);
    const V mag = min(set(assay::engine::kE4m3Max), abs(v));
    const __m512i m = _mm512_castps_si512(mag);
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(m, 20), _mm512_set1_epi32(1));
    const __m512i up = _mm512_add_epi32(_mm512_add_epi32(m, _mm512_set1_epi32(0x7FFFF)), odd);
    const __m512i normal = _mm512_and_si512(up, _mm512_set1_epi32(static_cast<int>(0xFFF00000U)));
    const V small = sub(add(mag, set(0x1p14F)), set(0x1p14F));
    const __mmask16 is_small = _mm512_cmp_ps_mask(mag, set(0x1p-6F), _CMP_LT_OQ);
    const __m512i mixed = _mm512_mask_mov_epi32(normal, is_small, _mm512_castps_si512(small));
    // The rounding above could carry a NaN's payload into its sign.
    const __mmask16 nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
    return _mm512_castsi512_ps(_mm512_mask_mov_epi32(_mm512_or_si512(mixed, sign), nan, bits));
  }
  static void store_e4m3(assay::engine::e4m3* p, V rounded) {
    const __m512i bits = _mm512_castps_si512(rounded);
    const V mag = abs(rounded);
    const __m512i sign = _mm512_and_si512(_mm512_srli_epi32(bits, 24), _mm512_set1_epi32(0x80));
    const __m512i normal =
        _mm512_sub_epi32(_mm512_srli_epi32(_mm512_castps_si512(mag), 20), _mm512_set1_epi32(960));
    const __m512i small = _mm512_cvttps_epi32(mul(mag, set(0x1p9F)));
    const __mmask16 is_small = _mm512_cmp_ps_mask(mag, set(0x1p-6F), _CMP_LT_OQ);
    const __mmask16 nan = _mm512_cmp_ps_mask(mag, mag, _CMP_UNORD_Q);
    __m512i code = _mm512_mask_mov_epi32(normal, is_small, small);
    code = _mm512_mask_mov_epi32(code, nan, _mm512_set1_epi32(0x7F));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p),
                     _mm512_cvtepi32_epi8(_mm512_or_si512(code, sign)));
  }
  static P load_pairs(const bf16* p) { return _mm512_loadu_si512(p); }
  static void store_pairs(bf16* p, P v) { _mm512_storeu_si512(p, v); }
  static P broadcast_pair(const bf16* p) {
    int bits = 0;
    __builtin_memcpy(&bits, p, sizeof(bits));
    return _mm512_set1_epi32(bits);
  }
  static V dot(V acc, P w, P a) {
    return _mm512_dpbf16_ps(acc, reinterpret_cast<__m512bh>(w), reinterpret_cast<__m512bh>(a));
  }

  /// The high and low byte of the BF16 value of each of the 128 magnitudes.
  struct Decoder {
    P high[2];
    P low[2];
    P sign;
    Decoder() {
      alignas(64) std::uint8_t bytes[2][128];
      constexpr bf16 kSubnormals[8] = {0, 0x3B00, 0x3B80, 0x3BC0, 0x3C00, 0x3C20, 0x3C40, 0x3C60};
      for (unsigned i = 0; i < 128; ++i) {
        unsigned value = i < 8 ? kSubnormals[i] : (i << 4) + (120U << 7);
        if (i == 127) value = 0x7FC0U;
        bytes[0][i] = static_cast<std::uint8_t>(value >> 8);
        bytes[1][i] = static_cast<std::uint8_t>(value & 0xFFU);
      }
      for (int half = 0; half < 2; ++half) {
        high[half] = _mm512_load_si512(bytes[0] + 64 * half);
        low[half] = _mm512_load_si512(bytes[1] + 64 * half);
      }
      sign = _mm512_set1_epi8(static_cast<char>(0x80));
    }
    void decode(const std::byte* line, P& first, P& second) const {
      const P codes = _mm512_loadu_si512(line);
      const P h = _mm512_permutex2var_epi8(high[0], codes, high[1]);
      const P l = _mm512_permutex2var_epi8(low[0], codes, low[1]);
      const P signed_high = _mm512_ternarylogic_epi32(h, codes, sign, 0xF8);  // h | (codes & sign)
      interleave(l, signed_high, first, second);
    }
  };

  /// Eight pairs of every line's quarter to two vectors, from the values' bytes.
  static void interleave(P low, P high, P& first, P& second) {
    first = _mm512_unpacklo_epi8(low, high);
    second = _mm512_unpackhi_epi8(low, high);
  }

  static P spread_rows(const std::uint8_t* rows) {
    const P all = _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(rows)));
    const P from =
        _mm512_set_epi32(0x0F0F0E0E, 0x0D0D0C0C, 0x0F0F0E0E, 0x0D0D0C0C, 0x0B0B0A0A, 0x09090808,
                         0x0B0B0A0A, 0x09090808, 0x07070606, 0x05050404, 0x07070606, 0x05050404,
                         0x03030202, 0x01010000, 0x03030202, 0x01010000);
    return _mm512_shuffle_epi8(all, from);
  }

  static P scale_pairs(P pairs, V scale) {
    const P odd_half = _mm512_set1_epi32(static_cast<int>(0xFFFF0000U));
    const V even = mul(_mm512_castsi512_ps(_mm512_slli_epi32(pairs, 16)), scale);
    const V odd = mul(_mm512_castsi512_ps(_mm512_and_si512(pairs, odd_half)), scale);
    const P low = _mm512_srli_epi32(_mm512_castps_si512(even), 16);
    return _mm512_ternarylogic_epi32(low, _mm512_castps_si512(odd), odd_half, 0xF8);
  }

  struct IntegerDecoder {
    P high[2];
    P low[2];
    IntegerDecoder() {
      for (int half = 0; half < 2; ++half) {
        high[half] = _mm512_load_si512(assay::engine::kInteger128.high + 64 * half);
        low[half] = _mm512_load_si512(assay::engine::kInteger128.low + 64 * half);
      }
    }
    void decode(const std::byte* line, P& first, P& second) const {
      const P codes = _mm512_loadu_si512(line);
      const P least = _mm512_set1_epi8(static_cast<char>(0x80));
      const P magnitude = _mm512_abs_epi8(codes);
      P h = _mm512_permutex2var_epi8(high[0], magnitude, high[1]);
      // -128 is its own magnitude; the table ends before it.
      h = _mm512_mask_mov_epi8(h, _mm512_cmpeq_epi8_mask(codes, least), _mm512_set1_epi8(0x43));
      const P l = _mm512_permutex2var_epi8(low[0], magnitude, low[1]);
      interleave(l, _mm512_ternarylogic_epi32(h, codes, least, 0xF8), first, second);
    }
  };

  struct NibbleDecoder {
    static P codes(const std::byte* line) {
      const __m256i both = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(line));
      const P halves =
          _mm512_inserti64x4(_mm512_castsi256_si512(both), _mm256_srli_epi16(both, 4), 1);
      return _mm512_and_si512(halves, _mm512_set1_epi8(0x0F));
    }
    static P table(const std::uint8_t* bytes) {
      return _mm512_broadcast_i32x4(_mm_load_si128(reinterpret_cast<const __m128i*>(bytes)));
    }
    void e2m1(const std::byte* line, P& first, P& second) const {
      const P code = codes(line);
      interleave(_mm512_shuffle_epi8(table(assay::engine::kE2m1Bytes.low), code),
                 _mm512_shuffle_epi8(table(assay::engine::kE2m1Bytes.high), code), first, second);
    }
    void integers(const std::byte* line, P zeros, P& first, P& second) const {
      const P difference = _mm512_sub_epi8(codes(line), zeros);
      const P magnitude = _mm512_abs_epi8(difference);
      const P sign = _mm512_set1_epi8(static_cast<char>(0x80));
      const P h = _mm512_shuffle_epi8(table(assay::engine::kInteger16.high), magnitude);
      interleave(_mm512_shuffle_epi8(table(assay::engine::kInteger16.low), magnitude),
                 _mm512_ternarylogic_epi32(h, difference, sign, 0xF8), first, second);
    }
  };

  struct Bf16Decoder {
    P high;
    P low;
    P sign;
    explicit Bf16Decoder(const assay::engine::Bf16ExponentBytes& bytes) {
      high = _mm512_broadcast_i32x4(_mm_load_si128(reinterpret_cast<const __m128i*>(bytes.high)));
      low = _mm512_broadcast_i32x4(_mm_load_si128(reinterpret_cast<const __m128i*>(bytes.low)));
      sign = _mm512_set1_epi8(static_cast<char>(0x80));
    }
    void decode(const std::byte* quad, int group, P& first, P& second) const {
      const P rest = _mm512_loadu_si512(quad + group * 64);
      P codes = _mm512_loadu_si512(quad + (4 + group / 2) * 64);
      if (group % 2 != 0) codes = _mm512_srli_epi16(codes, 4);
      codes = _mm512_and_si512(codes, _mm512_set1_epi8(0x0F));
      const P h = _mm512_shuffle_epi8(high, codes);
      const P l = _mm512_shuffle_epi8(low, codes);
      const P high_bytes = _mm512_ternarylogic_epi32(h, rest, sign, 0xF8);  // h | (rest & sign)
      const P low_bytes = _mm512_ternarylogic_epi32(l, rest, sign, 0xF4);   // l | (rest & ~sign)
      interleave(low_bytes, high_bytes, first, second);
    }
  };
};

}  // namespace
