// The inner loops of the CPU backend, once, over a vector type S (simd_*.h). Included by one file
// for each instruction set, compiled with that set's flags. S lives in an anonymous namespace, so
// every instance is private to its file and none can end up in another instruction set's code.
#pragma once

#include <cstdint>
#include <cstring>

#include "engine/ops/cpu_gemm_bodies.h"
#include "engine/ops/cpu_kernels.h"

namespace assay::engine {

/// Every function returns or stores what engine/ops/cpu_kernels.h says.
template <class S>
struct CpuKernelBodies {
  using V = typename S::V;
  using P = typename S::P;
  using Gemm = GemmBodies<S>;
  static constexpr float kLog2E = 1.44269504F;

  static std::int64_t smaller(std::int64_t a, std::int64_t b) { return a < b ? a : b; }

  // ---- attention ------------------------------------------------------------------------------

  template <int R, int N>
  static void pair_dot_tile(const PairDot& args, std::int64_t row, std::int64_t vector) {
    V acc[R][N];
    for (int r = 0; r < R; ++r) {
      for (int n = 0; n < N; ++n) {
        acc[r][n] = S::load(args.acc + (row + r) * args.ldacc + (vector + n) * 16);
      }
    }
    const bf16* a = args.a + row * args.lda;
    for (std::int64_t p = 0; p < args.pairs; ++p) {
      P b[N];
      for (int n = 0; n < N; ++n) {
        b[n] = S::load_pairs(args.b + (p * args.vectors + vector + n) * 32);
      }
      for (int r = 0; r < R; ++r) {
        const P x = S::broadcast_pair(a + r * args.lda + 2 * p);
        for (int n = 0; n < N; ++n) acc[r][n] = S::dot(acc[r][n], b[n], x);
      }
    }
    for (int r = 0; r < R; ++r) {
      for (int n = 0; n < N; ++n) {
        S::store(args.acc + (row + r) * args.ldacc + (vector + n) * 16, acc[r][n]);
      }
    }
  }

  template <int R>
  static void pair_dot_rows(const PairDot& args, std::int64_t row) {
    std::int64_t v = 0;
    for (; v + 4 <= args.vectors; v += 4) pair_dot_tile<R, 4>(args, row, v);
    for (; v + 2 <= args.vectors; v += 2) pair_dot_tile<R, 2>(args, row, v);
    for (; v < args.vectors; ++v) pair_dot_tile<R, 1>(args, row, v);
  }

  static void pair_dot(const PairDot& args) {
    std::int64_t row = 0;
    if constexpr (S::kGemmRows >= 4) {
      for (; row + 4 <= args.rows; row += 4) pair_dot_rows<4>(args, row);
    }
    for (; row < args.rows; ++row) pair_dot_rows<1>(args, row);
  }

  /// 2^x for x <= 127: nearest integer and a Taylor polynomial of degree 7 on [-1/2, 1/2]; 0 below
  /// -126; NaN stays NaN. No fused operations, so that every variant can follow.
  [[gnu::always_inline]] static V exp2_vector(V x) {
    const V clamped = S::min(S::set(127.0F), S::max(S::set(-127.0F), x));
    const V magic = S::set(12582912.0F);  // 1.5 * 2^23: the addition rounds to an integer
    const V shifted = S::add(clamped, magic);
    const V r = S::sub(clamped, S::sub(shifted, magic));
    V y = S::set(1.52527338e-5F);
    for (const float c : {1.54035304e-4F, 1.33335581e-3F, 9.61812911e-3F, 5.55041087e-2F,
                          2.40226507e-1F, 6.93147181e-1F, 1.0F}) {
      y = S::add(S::mul(y, r), S::set(c));
    }
    y = S::zero_below(S::shift_exponent(y, shifted), x, -126.0F);
    return S::add(y, S::sub(clamped, clamped));  // NaN where x is
  }

  static float exp2_one(float x) {
    float lanes[16];
    S::store(lanes, exp2_vector(S::set(x)));
    return lanes[0];
  }

  /// ((0 + 8) + (4 + 12)) + ...: halves are added until one lane is left.
  static float sum_lanes(V v) {
    float lanes[16];
    S::store(lanes, v);
    for (int half = 8; half >= 1; half /= 2) {
      for (int i = 0; i < half; ++i) lanes[i] += lanes[i + half];
    }
    return lanes[0];
  }

  static float max_lanes(V v) {
    float lanes[16];
    S::store(lanes, v);
    float best = lanes[0];
    for (int i = 1; i < 16; ++i) best = lanes[i] > best || lanes[i] != lanes[i] ? lanes[i] : best;
    return best;
  }

  static SoftmaxState chunk_softmax(const ChunkSoftmax& args) {
    constexpr std::int64_t kMaxWidth = 256;
    float scaled[kMaxWidth];
    const std::int64_t used = (args.valid + 15) / 16 * 16;
    const V scale = S::set(args.scale);
    for (std::int64_t j = 0; j < used; j += 16) {
      V t = S::load(args.scores + j);
      if (args.k_scale != nullptr) t = S::mul(t, S::load(args.k_scale + j));
      S::store(scaled + j, S::mul(t, scale));
    }
    for (std::int64_t j = args.valid; j < used; ++j) scaled[j] = -__builtin_inff();
    V top = S::load(scaled);
    for (std::int64_t j = 16; j < used; j += 16) top = S::max(top, S::load(scaled + j));
    SoftmaxState state;
    state.max = max_lanes(top);
    const V shift = S::set(state.max);
    V sum = S::zero();
    for (std::int64_t j = 0; j < used; j += 16) {
      V p = S::round_bf16(exp2_vector(S::sub(S::load(scaled + j), shift)));
      sum = S::add(sum, p);
      if (args.v_scale != nullptr) p = S::round_bf16(S::mul(p, S::load(args.v_scale + j)));
      S::store_bf16(args.p + j, p);
    }
    state.sum = sum_lanes(sum);
    // What lies beyond the visible keys may be anything: it must not count, not even as 0 * NaN.
    for (std::int64_t j = args.valid; j < args.width; ++j) args.p[j] = 0;
    return state;
  }

  static void fold(float* o, const float* x, float a, float b, std::int64_t count) {
    const V va = S::set(a);
    const V vb = S::set(b);
    for (std::int64_t i = 0; i < count; i += 16) {
      S::store(o + i, S::add(S::mul(S::load(o + i), va), S::mul(S::load(x + i), vb)));
    }
  }

  // ---- rows of activations --------------------------------------------------------------------

  static V load_bf16_part(const bf16* p, std::int64_t count) {
    bf16 lanes[16] = {};
    for (std::int64_t i = 0; i < count; ++i) lanes[i] = p[i];
    return S::load_bf16(lanes);
  }
  static V load_bf16_upto(const bf16* p, std::int64_t count) {
    return count >= 16 ? S::load_bf16(p) : load_bf16_part(p, count);
  }
  static V load_upto(const float* p, std::int64_t count) {
    if (count >= 16) return S::load(p);
    float lanes[16] = {};
    for (std::int64_t i = 0; i < count; ++i) lanes[i] = p[i];
    return S::load(lanes);
  }
  static void store_bf16_upto(bf16* p, V rounded, std::int64_t count) {
    if (count >= 16) return S::store_bf16(p, rounded);
    bf16 lanes[16];
    S::store_bf16(lanes, rounded);
    for (std::int64_t i = 0; i < count; ++i) p[i] = lanes[i];
  }

  /// The largest magnitude of `count` values, NaN when one of them is not finite.
  static float largest(const float* y, std::int64_t count) {
    V top = S::zero();
    V poison = S::zero();
    for (std::int64_t i = 0; i < count; i += 16) {
      const V v = load_upto(y + i, count - i);
      top = S::max(top, S::abs(v));
      poison = S::add(poison, S::mul(v, S::zero()));
    }
    return max_lanes(top) + sum_lanes(poison);
  }

  static float scale_for(float amax, float most) {
    const float scale = amax / most;
    return scale < 0x1p-40F ? 0x1p-40F : scale;
  }

  static float quantization_scale(const float* y, std::int64_t count) {
    return scale_for(largest(y, count), kE4m3Max);
  }

  /// The nearest integers in -127..127, ties to even; NaN stays.
  static V round_int8(V v) {
    const V magic = S::set(12582912.0F);  // 1.5 * 2^23: the addition rounds to an integer
    const V clamped = S::min(S::set(kInt8Max), S::max(S::set(-kInt8Max), v));
    return S::sub(S::add(clamped, magic), magic);
  }

  /// `count` values under one scale, whose value is returned.
  static float emit_scaled(const float* in, std::int64_t count, const RowOut& out, bf16* to) {
    const bool int8 = is_int8(out.type);
    float amax = largest(in, count);
    float scale = out.static_scale;
    if (out.type != ActivationType::kE4m3Static && out.type != ActivationType::kInt8Static) {
      if (out.amax_bound > 0 && amax > out.amax_bound) amax = out.amax_bound;
      scale = scale_for(amax, int8 ? kInt8Max : kE4m3Max);
    } else if (amax != amax) {
      scale = amax;  // saturation would hide an infinity
    }
    const V factor = S::set(1.0F / scale);
    for (std::int64_t i = 0; i < count; i += 16) {
      const V v = S::mul(load_upto(in + i, count - i), factor);
      store_bf16_upto(to + i, int8 ? round_int8(v) : S::round_e4m3(v), count - i);
    }
    return scale;
  }

  /// y [shards * shard_used] to where the next matrix product reads it.
  static void emit(const float* y, const RowOut& out) {
    if (out.type == ActivationType::kE4m3Group) {
      for (std::int64_t i = 0; i < out.piece_count; ++i) {
        const std::int64_t begin = out.pieces[i].begin;
        const std::int64_t from = begin / out.shard_k * out.shard_used + begin % out.shard_k;
        out.scale[i] = emit_scaled(y + from, out.pieces[i].end - begin, out, out.out + begin);
      }
      return;
    }
    for (std::int64_t s = 0; s < out.shards; ++s) {
      const float* in = y + s * out.shard_used;
      bf16* to = out.out + s * out.shard_k;
      if (out.type != ActivationType::kBf16) {
        out.scale[s] = emit_scaled(in, out.shard_used, out, to);
        continue;
      }
      for (std::int64_t i = 0; i < out.shard_used; i += 16) {
        const V v = load_upto(in + i, out.shard_used - i);
        store_bf16_upto(to + i, S::round_bf16(v), out.shard_used - i);
      }
    }
  }

  static void rms_norm(const RmsNormRow& row, const RowOut& out) {
    V squares = S::zero();
    for (std::int64_t i = 0; i < row.cols; i += 16) {
      const V x = load_bf16_upto(row.in + i, row.cols - i);
      squares = S::add(squares, S::mul(x, x));
    }
    const float mean = sum_lanes(squares) / static_cast<float>(row.cols);
    const V inverse = S::set(1.0F / __builtin_sqrtf(mean + row.eps));
    for (std::int64_t i = 0; i < row.cols; i += 16) {
      V y = S::mul(load_bf16_upto(row.in + i, row.cols - i), inverse);
      // As the original model does it in BF16; FP8 quantizes the FP32 value.
      if (out.type == ActivationType::kBf16) y = S::round_bf16(y);
      S::store(row.scratch + i, S::mul(y, load_upto(row.weight + i, row.cols - i)));
    }
    emit(row.scratch, out);
  }

  static void pack_row(const bf16* x, float* scratch, const RowOut& out) {
    const std::int64_t count = out.shards * out.shard_used;
    for (std::int64_t i = 0; i < count; i += 16) {
      S::store(scratch + i, load_bf16_upto(x + i, count - i));
    }
    emit(scratch, out);
  }

  static void silu_mul(const bf16* gate, const bf16* up, float* scratch, const RowOut& out) {
    const std::int64_t count = out.shards * out.shard_used;
    const V one = S::set(1.0F);
    for (std::int64_t i = 0; i < count; i += 16) {
      const V g = load_bf16_upto(gate + i, count - i);
      const V u = load_bf16_upto(up + i, count - i);
      const V e = exp2_vector(S::mul(g, S::set(-kLog2E)));
      S::store(scratch + i, S::mul(S::div(g, S::add(one, e)), u));
    }
    emit(scratch, out);
  }

  static void rope(const RopeRow& row) {
    const std::int64_t half = row.head_dim / 2;
    for (std::int64_t i = 0; i < half; i += 16) {
      const std::int64_t left = half - i;
      const V x = load_bf16_upto(row.x + i, left);
      const V y = load_bf16_upto(row.x + half + i, left);
      const V c = load_upto(row.cos + i, left);
      const V s = load_upto(row.sin + i, left);
      const V first = S::round_bf16(S::sub(S::mul(x, c), S::mul(y, s)));
      const V second = S::round_bf16(S::add(S::mul(y, c), S::mul(x, s)));
      store_bf16_upto(row.x + i, first, left);
      store_bf16_upto(row.x + half + i, second, left);
    }
  }

  static void add_residual(bf16* x, const ResidualRow& row) {
    const std::int64_t cols = row.cols;
    for (std::int64_t i = 0; i < cols; i += 16) {
      const std::int64_t left = cols - i;
      V delta = load_upto(row.y + i, left);
      if (row.scale != nullptr) delta = S::mul(delta, load_upto(row.scale + i, left));
      if (row.bias != nullptr) delta = S::add(delta, load_upto(row.bias + i, left));
      const V sum = S::add(load_bf16_upto(x + i, left), S::round_bf16(delta));
      store_bf16_upto(x + i, S::round_bf16(sum), left);
    }
  }

  // ---- logits ---------------------------------------------------------------------------------

  static V load_logits(const float* p, std::int64_t count) {
    if (count >= 16) return S::load(p);
    float lanes[16];
    for (int i = 0; i < 16; ++i) lanes[i] = i < count ? p[i] : -__builtin_inff();
    return S::load(lanes);
  }

  static double sum_exponentials(const float* logits, std::int64_t count, float top) {
    constexpr std::int64_t kTile = 128;
    const V shift = S::set(top);
    const V log2e = S::set(kLog2E);
    double total = 0;
    for (std::int64_t tile = 0; tile < count; tile += kTile) {
      const std::int64_t end = smaller(count, tile + kTile);
      V sum = S::zero();
      for (std::int64_t i = tile; i < end; i += 16) {
        const V x = S::mul(S::sub(load_logits(logits + i, end - i), shift), log2e);
        sum = S::add(sum, exp2_vector(x));
      }
      total += static_cast<double>(sum_lanes(sum));
    }
    return total;
  }

  static LogitStats logit_stats(const float* logits, std::int64_t count) {
    V top = S::set(-__builtin_inff());
    V poison = S::zero();
    for (std::int64_t i = 0; i < count; i += 16) {
      top = S::max(top, load_logits(logits + i, count - i));
      poison = S::add(poison, S::mul(load_upto(logits + i, count - i), S::zero()));
    }
    LogitStats stats;
    stats.finite = sum_lanes(poison) == 0;
    stats.max = max_lanes(top);
    if (!stats.finite) return stats;
    while (logits[stats.argmax] != stats.max) ++stats.argmax;
    stats.log_sum_exp =
        static_cast<double>(stats.max) + __builtin_log(sum_exponentials(logits, count, stats.max));
    return stats;
  }

  static void decode_lines(const std::byte* in, bf16* out, std::int64_t quads,
                           std::int64_t groups) {
    Gemm::decode_into(typename S::Decoder(), in, out, quads, groups);
  }

  // ---- weights at load ------------------------------------------------------------------------

  static void encode_e4m3(const float* x, std::int64_t count, float scale, e4m3* out) {
    const V divisor = S::set(scale);
    for (std::int64_t i = 0; i < count; i += 16) {
      const V code = S::round_e4m3(S::div(load_upto(x + i, count - i), divisor));
      if (count - i >= 16) {
        S::store_e4m3(out + i, code);
        continue;
      }
      e4m3 last[16];
      S::store_e4m3(last, code);
      std::memcpy(out + i, last, static_cast<std::size_t>(count - i));
    }
  }

  static void round_bf16(const float* x, std::int64_t count, bf16* out) {
    for (std::int64_t i = 0; i < count; i += 16) {
      store_bf16_upto(out + i, S::round_bf16(load_upto(x + i, count - i)), count - i);
    }
  }

  static void widen_bf16(const std::byte* in, std::int64_t count, float* out) {
    std::int64_t i = 0;
    for (; i + 16 <= count; i += 16) {
      bf16 lanes[16];
      std::memcpy(lanes, in + 2 * i, sizeof(lanes));
      S::store(out + i, S::load_bf16(lanes));
    }
    for (; i < count; ++i) {
      bf16 value = 0;
      std::memcpy(&value, in + 2 * i, sizeof(value));
      out[i] = bf16_to_float(value);
    }
  }

  // ---- compression of BF16 weights (bf16_compression.h) ---------------------------------------

  /// 1 where the exponent of x has no code, else 0.
  static std::uint16_t has_no_code(bf16 x, unsigned top) {
    const auto exponent = static_cast<std::uint16_t>((x >> 7U) & 0xFFU);
    const auto distance = static_cast<std::uint16_t>(top - exponent);
    return static_cast<std::uint16_t>((exponent != 0) & (distance >= kExponentCodes));
  }

  /// How many of a quad's values are exceptions. The sum is as narrow as its summands.
  static std::uint16_t exceptions_of(const bf16* quad, unsigned top) {
    std::uint16_t count = 0;
    for (std::int64_t i = 0; i < kBf16QuadValues; ++i) {
      count = static_cast<std::uint16_t>(count + has_no_code(quad[i], top));
    }
    return count;
  }

  static Bf16Survey survey_bf16(const bf16* panel, std::int64_t quads) {
    std::int16_t largest = 0;
    for (std::int64_t i = 0; i < quads * kBf16QuadValues; ++i) {
      const auto magnitude = static_cast<std::int16_t>(panel[i] & 0x7FFFU);
      largest = largest > magnitude ? largest : magnitude;
    }
    Bf16Survey survey;
    survey.top = static_cast<std::uint8_t>(largest >> 7);
    for (std::int64_t q = 0; q < quads; ++q) {
      survey.exceptions += exceptions_of(panel + q * kBf16QuadValues, survey.top);
    }
    return survey;
  }

  /// Signs with mantissas and exponent codes of 64 values, in the order of a line.
  static void split_line(const bf16* first, const bf16* second, unsigned top, std::uint8_t* rest,
                         std::uint8_t* code) {
    bf16 ordered[64];
    for (int quarter = 0; quarter < 4; ++quarter) {
      std::memcpy(ordered + quarter * 16, first + quarter * 8, 8 * sizeof(bf16));
      std::memcpy(ordered + quarter * 16 + 8, second + quarter * 8, 8 * sizeof(bf16));
    }
    for (int i = 0; i < 64; ++i) {
      const bf16 x = ordered[i];
      const auto exponent = static_cast<std::uint16_t>((x >> 7U) & 0xFFU);
      const auto distance = static_cast<std::uint16_t>((top - exponent) & 15U);
      rest[i] = static_cast<std::uint8_t>((x >> 8U & 0x80U) | (x & 0x7FU));
      code[i] = static_cast<std::uint8_t>(exponent == 0 ? kZeroExponent : distance);
    }
  }

  static void compress_bf16(const bf16* panel, std::int64_t quads, std::uint8_t top, std::byte* out,
                            Bf16Exception* exceptions) {
    for (std::int64_t q = 0; q < quads; ++q, out += kBf16QuadBytes) {
      const bf16* quad = panel + q * kBf16QuadValues;
      std::uint8_t rest[4][64];
      std::uint8_t code[4][64];
      for (int g = 0; g < 4; ++g) {
        split_line(quad + g * 32, quad + (4 + g) * 32, top, rest[g], code[g]);
      }
      for (int half = 0; half < 2; ++half) {
        for (int i = 0; i < 64; ++i) {
          code[half][i] =
              static_cast<std::uint8_t>(code[2 * half][i] | code[2 * half + 1][i] << 4U);
        }
      }
      std::memcpy(out, rest, sizeof(rest));
      std::memcpy(out + sizeof(rest), code, sizeof(code) / 2);
      if (exceptions_of(quad, top) == 0) continue;
      for (std::int64_t i = 0; i < kBf16QuadValues; ++i) {
        if (has_no_code(quad[i], top) == 0) continue;
        *exceptions++ = {static_cast<std::uint32_t>(q * kBf16QuadValues + i), quad[i]};
      }
    }
  }

  static CpuKernels table(const char* name) {
    CpuKernels kernels;
    kernels.name = name;
    kernels.gemm_panel = Gemm::gemm_panel;
    kernels.pair_dot = pair_dot;
    kernels.chunk_softmax = chunk_softmax;
    kernels.fold = fold;
    kernels.exp2 = exp2_one;
    kernels.rms_norm = rms_norm;
    kernels.pack_row = pack_row;
    kernels.silu_mul = silu_mul;
    kernels.rope = rope;
    kernels.add_residual = add_residual;
    kernels.logit_stats = logit_stats;
    kernels.decode_lines = decode_lines;
    kernels.e4m3_scale_of = quantization_scale;
    kernels.encode_e4m3 = encode_e4m3;
    kernels.round_bf16 = round_bf16;
    kernels.widen_bf16 = widen_bf16;
    kernels.survey_bf16 = survey_bf16;
    kernels.compress_bf16 = compress_bf16;
    return kernels;
  }
};

}  // namespace assay::engine
