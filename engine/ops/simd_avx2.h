// 16 FP32 lanes in two 256-bit registers: AVX2 with FMA. For kernels_avx2.cc alone; see
// simd_portable.h for what each function means.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "engine/ops/bf16_compression.h"
#include "engine/ops/code_tables.h"
#include "engine/ops/number.h"

namespace {

struct Avx2 {
  using bf16 = assay::engine::bf16;
  struct V {
    __m256 a, b;
  };
  struct P {
    __m256i a, b;
  };
  static constexpr int kGemmRows = 2;
  static constexpr int kTileRows = 0;

  template <typename F>
  static V each(F f, V x) {
    return {f(x.a), f(x.b)};
  }
  static V zero() { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }
  static V set(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
  static V load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
  static void store(float* p, V v) {
    _mm256_storeu_ps(p, v.a);
    _mm256_storeu_ps(p + 8, v.b);
  }
  static V add(V x, V y) { return {_mm256_add_ps(x.a, y.a), _mm256_add_ps(x.b, y.b)}; }
  static V sub(V x, V y) { return {_mm256_sub_ps(x.a, y.a), _mm256_sub_ps(x.b, y.b)}; }
  static V mul(V x, V y) { return {_mm256_mul_ps(x.a, y.a), _mm256_mul_ps(x.b, y.b)}; }
  static V div(V x, V y) { return {_mm256_div_ps(x.a, y.a), _mm256_div_ps(x.b, y.b)}; }
  static V max(V x, V y) { return {_mm256_max_ps(x.a, y.a), _mm256_max_ps(x.b, y.b)}; }
  static V min(V x, V y) { return {_mm256_min_ps(x.a, y.a), _mm256_min_ps(x.b, y.b)}; }
  static __m256 bits(std::uint32_t value) {
    return _mm256_castsi256_ps(_mm256_set1_epi32(static_cast<int>(value)));
  }
  static V abs(V x) {
    return each([](__m256 h) { return _mm256_and_ps(h, bits(0x7FFFFFFFU)); }, x);
  }
  static __m256 shift(__m256 value, __m256 magic) {
    const __m256i n = _mm256_slli_epi32(_mm256_castps_si256(magic), 23);
    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(value), n));
  }
  static V shift_exponent(V value, V magic) {
    return {shift(value.a, magic.a), shift(value.b, magic.b)};
  }
  static __m256 keep(__m256 value, __m256 x, float limit) {
    return _mm256_and_ps(value, _mm256_cmp_ps(x, _mm256_set1_ps(limit), _CMP_NLT_UQ));
  }
  static V zero_below(V value, V x, float limit) {
    return {keep(value.a, x.a, limit), keep(value.b, x.b, limit)};
  }
  static __m256 widen(const bf16* p) {
    const __m128i half = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16));
  }
  static V load_bf16(const bf16* p) { return {widen(p), widen(p + 8)}; }
  static __m256 round_bf16_half(__m256 v) {
    const __m256i raw = _mm256_castps_si256(v);
    const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(raw, 16), _mm256_set1_epi32(1));
    const __m256i sum = _mm256_add_epi32(_mm256_add_epi32(raw, _mm256_set1_epi32(0x7FFF)), odd);
    const __m256 quiet = _mm256_or_ps(v, bits(0x400000U));
    const __m256 mixed =
        _mm256_blendv_ps(_mm256_castsi256_ps(sum), quiet, _mm256_cmp_ps(v, v, _CMP_UNORD_Q));
    return _mm256_and_ps(mixed, bits(0xFFFF0000U));
  }
  static V round_bf16(V v) { return each(round_bf16_half, v); }
  static void store_bf16(bf16* p, V rounded) {
    const __m256i a = _mm256_srli_epi32(_mm256_castps_si256(rounded.a), 16);
    const __m256i b = _mm256_srli_epi32(_mm256_castps_si256(rounded.b), 16);
    const __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(a, b), 0xD8);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), packed);
  }
  static __m256 round_e4m3_half(__m256 v) {
    const __m256 sign = _mm256_and_ps(v, bits(0x80000000U));
    const __m256 mag =
        _mm256_min_ps(_mm256_set1_ps(assay::engine::kE4m3Max), _mm256_and_ps(v, bits(0x7FFFFFFFU)));
    const __m256i m = _mm256_castps_si256(mag);
    const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(m, 20), _mm256_set1_epi32(1));
    const __m256i up = _mm256_add_epi32(_mm256_add_epi32(m, _mm256_set1_epi32(0x7FFFF)), odd);
    const __m256 normal = _mm256_and_ps(_mm256_castsi256_ps(up), bits(0xFFF00000U));
    const __m256 magic = _mm256_set1_ps(0x1p14F);
    const __m256 small = _mm256_sub_ps(_mm256_add_ps(mag, magic), magic);
    const __m256 is_small = _mm256_cmp_ps(mag, _mm256_set1_ps(0x1p-6F), _CMP_LT_OQ);
    // The rounding above could carry a NaN's payload into its sign.
    return _mm256_blendv_ps(_mm256_or_ps(_mm256_blendv_ps(normal, small, is_small), sign), v,
                            _mm256_cmp_ps(v, v, _CMP_UNORD_Q));
  }
  static V round_e4m3(V v) { return each(round_e4m3_half, v); }
  static void store_e4m3_half(assay::engine::e4m3* p, __m256 rounded) {
    const __m256i raw = _mm256_castps_si256(rounded);
    const __m256 mag = _mm256_and_ps(rounded, bits(0x7FFFFFFFU));
    const __m256i sign = _mm256_and_si256(_mm256_srli_epi32(raw, 24), _mm256_set1_epi32(0x80));
    const __m256i normal =
        _mm256_sub_epi32(_mm256_srli_epi32(_mm256_castps_si256(mag), 20), _mm256_set1_epi32(960));
    const __m256i small = _mm256_cvttps_epi32(_mm256_mul_ps(mag, _mm256_set1_ps(0x1p9F)));
    const __m256 is_small = _mm256_cmp_ps(mag, _mm256_set1_ps(0x1p-6F), _CMP_LT_OQ);
    const __m256 nan = _mm256_cmp_ps(mag, mag, _CMP_UNORD_Q);
    __m256 code =
        _mm256_blendv_ps(_mm256_castsi256_ps(normal), _mm256_castsi256_ps(small), is_small);
    code = _mm256_blendv_ps(code, bits(0x7FU), nan);
    const __m256i whole = _mm256_or_si256(_mm256_castps_si256(code), sign);
    const __m128i words =
        _mm_packus_epi32(_mm256_castsi256_si128(whole), _mm256_extracti128_si256(whole, 1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packus_epi16(words, words));
  }
  static void store_e4m3(assay::engine::e4m3* p, V rounded) {
    store_e4m3_half(p, rounded.a);
    store_e4m3_half(p + 8, rounded.b);
  }
  static P load_pairs(const bf16* p) {
    return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)),
            _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 16))};
  }
  static void store_pairs(bf16* p, P v) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), v.a);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p + 16), v.b);
  }
  static P broadcast_pair(const bf16* p) {
    int raw = 0;
    __builtin_memcpy(&raw, p, sizeof(raw));
    const __m256i all = _mm256_set1_epi32(raw);
    return {all, all};
  }
  static __m256 odd(__m256i pairs) {
    return _mm256_and_ps(_mm256_castsi256_ps(pairs), bits(0xFFFF0000U));
  }
  static __m256 even(__m256i pairs) { return _mm256_castsi256_ps(_mm256_slli_epi32(pairs, 16)); }
  static V dot(V acc, P w, P a) {
    const __m256 a_odd = odd(a.a);  // both halves of a broadcast are equal
    const __m256 a_even = even(a.a);
    acc.a = _mm256_fmadd_ps(odd(w.a), a_odd, acc.a);
    acc.b = _mm256_fmadd_ps(odd(w.b), a_odd, acc.b);
    acc.a = _mm256_fmadd_ps(even(w.a), a_even, acc.a);
    acc.b = _mm256_fmadd_ps(even(w.b), a_even, acc.b);
    return acc;
  }

  struct Decoder {
    static void half(const std::byte* line, __m256i& first, __m256i& second) {
      const __m256i codes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(line));
      const __m256i low_nibble = _mm256_set1_epi8(0x0F);
      const __m256i three = _mm256_and_si256(codes, _mm256_set1_epi8(0x07));
      const __m256i sign = _mm256_and_si256(codes, _mm256_set1_epi8(static_cast<char>(0x80)));
      const __m256i magnitude = _mm256_andnot_si256(sign, codes);
      const __m256i shifted = _mm256_and_si256(_mm256_srli_epi16(magnitude, 4), low_nibble);
      const __m256i high_normal = _mm256_add_epi8(shifted, _mm256_set1_epi8(0x3C));
      const __m256i low_normal = _mm256_slli_epi16(_mm256_and_si256(codes, low_nibble), 4);
      const __m256i high_table = _mm256_broadcastsi128_si256(
          _mm_setr_epi8(0, 0x3B, 0x3B, 0x3B, 0x3C, 0x3C, 0x3C, 0x3C, 0, 0, 0, 0, 0, 0, 0, 0));
      const __m256i low_table = _mm256_broadcastsi128_si256(
          _mm_setr_epi8(0, 0, static_cast<char>(0x80), static_cast<char>(0xC0), 0, 0x20, 0x40, 0x60,
                        0, 0, 0, 0, 0, 0, 0, 0));
      const __m256i is_small =
          _mm256_cmpgt_epi8(_mm256_set1_epi8(8), magnitude);  // magnitude is 0..127
      const __m256i is_nan = _mm256_cmpeq_epi8(magnitude, _mm256_set1_epi8(0x7F));
      __m256i high =
          _mm256_blendv_epi8(high_normal, _mm256_shuffle_epi8(high_table, three), is_small);
      __m256i low = _mm256_blendv_epi8(low_normal, _mm256_shuffle_epi8(low_table, three), is_small);
      high = _mm256_blendv_epi8(high, _mm256_set1_epi8(0x7F), is_nan);
      low = _mm256_blendv_epi8(low, _mm256_set1_epi8(static_cast<char>(0xC0)), is_nan);
      high = _mm256_or_si256(high, sign);
      first = _mm256_unpacklo_epi8(low, high);
      second = _mm256_unpackhi_epi8(low, high);
    }
    static void decode(const std::byte* line, P& first, P& second) {
      half(line, first.a, second.a);
      half(line + 32, first.b, second.b);
    }
  };

  static P spread_rows(const std::uint8_t* rows) {
    const __m256i all =
        _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(rows)));
    const __m256i from = _mm256_set_epi32(0x07070606, 0x05050404, 0x07070606, 0x05050404,
                                          0x03030202, 0x01010000, 0x03030202, 0x01010000);
    return {_mm256_shuffle_epi8(all, from),
            _mm256_shuffle_epi8(all, _mm256_add_epi8(from, _mm256_set1_epi8(8)))};
  }

  static __m256i scale_half(__m256i pairs, __m256 scale) {
    const __m256i low = _mm256_castps_si256(_mm256_mul_ps(even(pairs), scale));
    const __m256i high = _mm256_castps_si256(_mm256_mul_ps(odd(pairs), scale));
    return _mm256_blend_epi16(_mm256_srli_epi32(low, 16), high, 0xAA);
  }
  static P scale_pairs(P pairs, V scale) {
    return {scale_half(pairs.a, scale.a), scale_half(pairs.b, scale.b)};
  }

  struct IntegerDecoder {
    /// Eight integers as the high halves of FP32 values.
    static __m256i eight(const std::byte* at) {
      const __m128i codes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(at));
      const __m256 values = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(codes));
      return _mm256_srli_epi32(_mm256_castps_si256(values), 16);
    }
    /// Sixteen BF16 values of two runs of eight.
    static __m256i sixteen(const std::byte* first, const std::byte* second) {
      return _mm256_permute4x64_epi64(_mm256_packus_epi32(eight(first), eight(second)), 0xD8);
    }
    static void decode(const std::byte* line, P& first, P& second) {
      first = {sixteen(line, line + 16), sixteen(line + 32, line + 48)};
      second = {sixteen(line + 8, line + 24), sixteen(line + 40, line + 56)};
    }
  };

  struct NibbleDecoder {
    static __m256i load(const std::byte* line) {
      return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(line));
    }
    static __m256i low_codes(__m256i both) {
      return _mm256_and_si256(both, _mm256_set1_epi8(0x0F));
    }
    static __m256i high_codes(__m256i both) { return low_codes(_mm256_srli_epi16(both, 4)); }
    static __m256i look_up(const std::uint8_t* table, __m256i code) {
      const __m256i t =
          _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(table)));
      return _mm256_shuffle_epi8(t, code);
    }
    static void e2m1_half(__m256i code, __m256i& first, __m256i& second) {
      const __m256i high = look_up(assay::engine::kE2m1Bytes.high, code);
      const __m256i low = look_up(assay::engine::kE2m1Bytes.low, code);
      first = _mm256_unpacklo_epi8(low, high);
      second = _mm256_unpackhi_epi8(low, high);
    }
    static void e2m1(const std::byte* line, P& first, P& second) {
      const __m256i both = load(line);
      e2m1_half(low_codes(both), first.a, second.a);
      e2m1_half(high_codes(both), first.b, second.b);
    }
    static void integers_half(__m256i code, __m256i zeros, __m256i& first, __m256i& second) {
      const __m256i difference = _mm256_sub_epi8(code, zeros);
      const __m256i magnitude = _mm256_abs_epi8(difference);
      const __m256i sign = _mm256_and_si256(difference, _mm256_set1_epi8(static_cast<char>(0x80)));
      const __m256i high =
          _mm256_or_si256(look_up(assay::engine::kInteger16.high, magnitude), sign);
      const __m256i low = look_up(assay::engine::kInteger16.low, magnitude);
      first = _mm256_unpacklo_epi8(low, high);
      second = _mm256_unpackhi_epi8(low, high);
    }
    static void integers(const std::byte* line, P zeros, P& first, P& second) {
      const __m256i both = load(line);
      integers_half(low_codes(both), zeros.a, first.a, second.a);
      integers_half(high_codes(both), zeros.b, first.b, second.b);
    }
  };

  struct Bf16Decoder {
    __m256i high;
    __m256i low;
    explicit Bf16Decoder(const assay::engine::Bf16ExponentBytes& bytes)
        : high(_mm256_broadcastsi128_si256(
              _mm_load_si128(reinterpret_cast<const __m128i*>(bytes.high)))),
          low(_mm256_broadcastsi128_si256(
              _mm_load_si128(reinterpret_cast<const __m128i*>(bytes.low)))) {}
    void half(const std::byte* rest_at, const std::byte* codes_at, int group, __m256i& first,
              __m256i& second) const {
      const __m256i sign = _mm256_set1_epi8(static_cast<char>(0x80));
      const __m256i rest = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(rest_at));
      __m256i codes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(codes_at));
      if (group % 2 != 0) codes = _mm256_srli_epi16(codes, 4);
      codes = _mm256_and_si256(codes, _mm256_set1_epi8(0x0F));
      const __m256i high_bytes =
          _mm256_or_si256(_mm256_shuffle_epi8(high, codes), _mm256_and_si256(rest, sign));
      const __m256i low_bytes =
          _mm256_or_si256(_mm256_shuffle_epi8(low, codes), _mm256_andnot_si256(sign, rest));
      first = _mm256_unpacklo_epi8(low_bytes, high_bytes);
      second = _mm256_unpackhi_epi8(low_bytes, high_bytes);
    }
    void decode(const std::byte* quad, int group, P& first, P& second) const {
      const std::byte* codes = quad + (4 + group / 2) * 64;
      half(quad + group * 64, codes, group, first.a, second.a);
      half(quad + group * 64 + 32, codes + 32, group, first.b, second.b);
    }
  };
};

}  // namespace
