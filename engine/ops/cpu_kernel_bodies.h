// The inner loops of the CPU backend, once, over a vector type S (simd_*.h). Included by one file
// for each instruction set, compiled with that set's flags. S lives in an anonymous namespace, so
// every instance is private to its file and none can end up in another instruction set's code.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "engine/ops/cpu_kernels.h"

namespace assay::engine {

/// Every function returns or stores what engine/ops/cpu_kernels.h says.
template <class S>
struct CpuKernelBodies {
  using V = typename S::V;
  using P = typename S::P;
  using Decoder = typename S::Decoder;
  using Bf16Decoder = typename S::Bf16Decoder;
  static constexpr int kGroups = kPanelRows / 16;  // vectors of outputs in a panel
  static constexpr std::int64_t kBlockPairs = kBlock / 2;
  static constexpr std::int64_t kChainPairs = kBlockPairs / 2;
  static constexpr std::int64_t kBlockBytes = kBlock * kPanelRows;  // of one-byte weights
  static constexpr float kLog2E = 1.44269504F;
  // One block of E4M3 weights: of 3, 8 and 16 KiB the best on a core with 30 GB/s.
  static constexpr std::int64_t kPrefetchBytes = 8192;

  static std::int64_t smaller(std::int64_t a, std::int64_t b) { return a < b ? a : b; }

  // ---- matrix product -------------------------------------------------------------------------

  /// Weights that are asked for while others are used: some cache lines with every pair of inputs.
  struct Ahead {
    const std::byte* next = nullptr;
    std::int64_t lines = 0;  // a pair
    [[gnu::always_inline]] void fetch() {
      for (std::int64_t i = 0; i < lines; ++i, next += 64) __builtin_prefetch(next);
    }
  };

  /// acc[r][g] = the sum over `pairs` pairs of inputs, from zero.
  template <int R>
  [[gnu::always_inline]] static void chain(const bf16* a, std::int64_t lda, const bf16* w,
                                           std::int64_t pairs, Ahead& ahead, V (&acc)[R][kGroups]) {
    for (int r = 0; r < R; ++r) {
      for (int g = 0; g < kGroups; ++g) acc[r][g] = S::zero();
    }
    for (std::int64_t p = 0; p < pairs; ++p) {
      ahead.fetch();
      P weights[kGroups];
      for (int g = 0; g < kGroups; ++g) weights[g] = S::load_pairs(w + (p * kGroups + g) * 32);
      for (int r = 0; r < R; ++r) {
        const P x = S::broadcast_pair(a + r * lda + 2 * p);
        for (int g = 0; g < kGroups; ++g) acc[r][g] = S::dot(acc[r][g], weights[g], x);
      }
    }
  }

  template <int R>
  [[gnu::always_inline]] static void add_to_total(float* total, const V (&sum)[R][kGroups]) {
    for (int r = 0; r < R; ++r) {
      for (int g = 0; g < kGroups; ++g) {
        float* t = total + r * kPanelRows + g * 16;
        S::store(t, S::add(S::load(t), sum[r][g]));
      }
    }
  }

  /// One block of 128 inputs whose weights are BF16 pairs [pairs, 4, 16, 2].
  template <int R>
  static void block(const bf16* a, std::int64_t lda, const bf16* w, std::int64_t pairs, Ahead ahead,
                    float* total) {
    V first[R][kGroups];
    V second[R][kGroups];
    chain<R>(a, lda, w, smaller(pairs, kChainPairs), ahead, first);
    chain<R>(a + kBlock / 2, lda, w + kChainPairs * kGroups * 32,
             pairs > kChainPairs ? pairs - kChainPairs : 0, ahead, second);
    for (int r = 0; r < R; ++r) {
      for (int g = 0; g < kGroups; ++g) first[r][g] = S::add(first[r][g], second[r][g]);
    }
    add_to_total<R>(total, first);
  }

  /// As many rows at a time as the registers hold, in tiles of nearly equal height: a tile of one
  /// or two rows would wait for the latency of its additions. The first two tiles fetch the weights
  /// of the block that follows, `next_bytes` at `next`.
  static void block_rows(const bf16* a, std::int64_t lda, const bf16* w, std::int64_t pairs,
                         std::int64_t rows, const std::byte* next, std::int64_t next_bytes,
                         float* total) {
    const std::int64_t all = (rows + S::kGemmRows - 1) / S::kGemmRows;
    const std::int64_t share = next_bytes / (all == 1 ? 1 : 2);
    for (std::int64_t tiles = all; tiles > 0; --tiles) {
      const std::int64_t height = (rows + tiles - 1) / tiles;
      const Ahead ahead{next, all - tiles < 2 ? share / (64 * kBlockPairs) : 0};
      block_tile(a, lda, w, pairs, height, ahead, total);
      a += height * lda;
      total += height * kPanelRows;
      rows -= height;
      next += share;
    }
  }

  static void block_tile(const bf16* a, std::int64_t lda, const bf16* w, std::int64_t pairs,
                         std::int64_t rows, Ahead ahead, float* total) {
    if (rows == 1) return block<1>(a, lda, w, pairs, ahead, total);
    if constexpr (S::kGemmRows > 1) {
      if (rows == 2) return block<2>(a, lda, w, pairs, ahead, total);
    }
    if constexpr (S::kGemmRows > 2) {
      if (rows == 3) return block<3>(a, lda, w, pairs, ahead, total);
      if (rows == 4) return block<4>(a, lda, w, pairs, ahead, total);
      if (rows == 5) return block<5>(a, lda, w, pairs, ahead, total);
      if (rows == 6) return block<6>(a, lda, w, pairs, ahead, total);
    }
  }

  /// The two pair vectors of a quad (four inputs) and the rows of group g, from E4M3 lines.
  struct Codes {
    const Decoder& decoder;
    static constexpr std::int64_t kQuadBytes = 256;
    [[gnu::always_inline]] void load(const std::byte* quad, int g, P& a, P& b) const {
      decoder.decode(quad + g * 64, a, b);
    }
  };
  /// The same from BF16 pairs.
  struct Pairs {
    static constexpr std::int64_t kQuadBytes = 512;
    [[gnu::always_inline]] void load(const std::byte* quad, int g, P& a, P& b) const {
      const auto* pairs = reinterpret_cast<const bf16*>(quad);
      a = S::load_pairs(pairs + g * 32);
      b = S::load_pairs(pairs + (kGroups + g) * 32);
    }
  };
  /// The same from compressed BF16, without the exceptions.
  struct Compressed {
    Bf16Decoder decoder;
    static constexpr std::int64_t kQuadBytes = kBf16QuadBytes;
    [[gnu::always_inline]] void load(const std::byte* quad, int g, P& a, P& b) const {
      decoder.decode(quad, g, a, b);
    }
  };

  /// Exceptions of one block of compressed weights; positions count from the panel's begin.
  struct Exceptions {
    const Bf16Exception* begin = nullptr;
    const Bf16Exception* end = nullptr;
    std::int64_t origin = 0;  // position of the block's first value
    /// Bit q: quad q of either chain has some.
    [[nodiscard]] std::uint32_t quads() const {
      std::uint32_t out = 0;
      for (const Bf16Exception* e = begin; e != end; ++e) {
        out |= 1U << ((e->position - origin) / kBf16QuadValues % (kChainPairs / 2));
      }
      return out;
    }
    /// Puts those of values [first, first + count) of the block into their places.
    void apply(bf16* values, std::int64_t first, std::int64_t count) const {
      for (const Bf16Exception* e = begin; e != end; ++e) {
        const std::int64_t at = e->position - origin - first;
        if (at >= 0 && at < count) values[at] = e->value;
      }
    }
  };

  template <class Weights>
  [[gnu::always_inline]] static void decode_quad(const Weights& weights, const std::byte* quad,
                                                 bf16* out) {
    for (int g = 0; g < kGroups; ++g) {
      P a, b;
      weights.load(quad, g, a, b);
      S::store_pairs(out + g * 32, a);
      S::store_pairs(out + (kGroups + g) * 32, b);
    }
  }

  /// A quad of each of a block's chains.
  template <int R, class Weights>
  [[gnu::always_inline]] static void direct_quads(const Weights& weights, const std::byte* near,
                                                  const std::byte* far, const P (&x)[2][R][2],
                                                  V (&first)[R][kGroups], V (&second)[R][kGroups]) {
    for (int g = 0; g < kGroups; ++g) {
      P w0, w1, w2, w3;
      weights.load(near, g, w0, w1);
      weights.load(far, g, w2, w3);
      for (int r = 0; r < R; ++r) {
        first[r][g] = S::dot(first[r][g], w0, x[0][r][0]);
        second[r][g] = S::dot(second[r][g], w2, x[1][r][0]);
        first[r][g] = S::dot(first[r][g], w1, x[0][r][1]);
        second[r][g] = S::dot(second[r][g], w3, x[1][r][1]);
      }
    }
  }

  /// One block of 128 inputs straight from the packed weights; its two chains side by side, so that
  /// few rows still fill the pipeline. Memory is the limit here: what comes after this block is
  /// asked for early, over the end of the panel too, where the thread's next panel lies.
  template <int R, class Weights>
  static void direct_block(const Weights& weights, const Exceptions& exceptions, const bf16* a,
                           std::int64_t lda, const std::byte* w, float* total) {
    V first[R][kGroups];
    V second[R][kGroups];
    for (int r = 0; r < R; ++r) {
      for (int g = 0; g < kGroups; ++g) first[r][g] = second[r][g] = S::zero();
    }
    constexpr std::int64_t kQuads = kChainPairs / 2;
    constexpr std::int64_t kQuadBytes = Weights::kQuadBytes;
    constexpr std::int64_t kHalf = kQuads * kQuadBytes;
    const std::uint32_t marked = exceptions.quads();
    for (std::int64_t q = 0; q < kQuads; ++q) {
      for (std::int64_t line = 0; line < 2 * kQuadBytes; line += 64) {
        __builtin_prefetch(w + 2 * q * kQuadBytes + line + kPrefetchBytes);
      }
      P x[2][R][2];
      for (int r = 0; r < R; ++r) {
        for (int i = 0; i < 2; ++i) {
          x[0][r][i] = S::broadcast_pair(a + r * lda + 4 * q + 2 * i);
          x[1][r][i] = S::broadcast_pair(a + r * lda + kBlock / 2 + 4 * q + 2 * i);
        }
      }
      const std::byte* near = w + q * kQuadBytes;
      if ((marked >> q & 1U) == 0) {
        direct_quads<R>(weights, near, near + kHalf, x, first, second);
        continue;
      }
      bf16 decoded[2][kBf16QuadValues];
      for (int half = 0; half < 2; ++half) {
        decode_quad(weights, near + half * kHalf, decoded[half]);
        exceptions.apply(decoded[half], (q + half * kQuads) * kBf16QuadValues, kBf16QuadValues);
      }
      direct_quads<R>(Pairs(), reinterpret_cast<const std::byte*>(decoded[0]),
                      reinterpret_cast<const std::byte*>(decoded[1]), x, first, second);
    }
    for (int r = 0; r < R; ++r) {
      for (int g = 0; g < kGroups; ++g) first[r][g] = S::add(first[r][g], second[r][g]);
    }
    add_to_total<R>(total, first);
  }

  /// 64 inputs of a block for R rows, from zero, straight from the packed weights.
  template <int R, class Weights>
  [[gnu::always_inline]] static void tile_chain(const Weights& weights,
                                                const Exceptions& exceptions, std::uint32_t marked,
                                                const bf16* a, std::int64_t lda, const std::byte* w,
                                                std::int64_t first_quad, Ahead& ahead,
                                                V (&acc)[R][kGroups]) {
    constexpr std::int64_t kQuads = kChainPairs / 2;
    for (int r = 0; r < R; ++r) {
      for (int g = 0; g < kGroups; ++g) acc[r][g] = S::zero();
    }
    const auto step = [&](const auto& from, const std::byte* quad, std::int64_t q) {
      P weight[2][kGroups];
      for (int g = 0; g < kGroups; ++g) from.load(quad, g, weight[0][g], weight[1][g]);
      for (int pair = 0; pair < 2; ++pair) {
        for (int r = 0; r < R; ++r) {
          const P x = S::broadcast_pair(a + r * lda + 4 * q + 2 * pair);
          for (int g = 0; g < kGroups; ++g) acc[r][g] = S::dot(acc[r][g], weight[pair][g], x);
        }
      }
    };
    for (std::int64_t q = first_quad; q < first_quad + kQuads; ++q) {
      ahead.fetch();
      const std::byte* quad = w + q * Weights::kQuadBytes;
      if ((marked >> (q - first_quad) & 1U) == 0) {
        step(weights, quad, q);
        continue;
      }
      bf16 decoded[kBf16QuadValues];
      decode_quad(weights, quad, decoded);
      exceptions.apply(decoded, q * kBf16QuadValues, kBf16QuadValues);
      step(Pairs(), reinterpret_cast<const std::byte*>(decoded), q);
    }
  }

  /// One block of 128 inputs straight from the packed weights; asks for the next one.
  template <int R, class Weights>
  static void tile_block(const Weights& weights, const Exceptions& exceptions, const bf16* a,
                         std::int64_t lda, const std::byte* w, float* total) {
    constexpr std::int64_t kQuads = kChainPairs;  // of both chains
    const std::uint32_t marked = exceptions.quads();
    Ahead ahead{w + kQuads * Weights::kQuadBytes, Weights::kQuadBytes / 64};
    V first[R][kGroups];
    V second[R][kGroups];
    tile_chain<R>(weights, exceptions, marked, a, lda, w, 0, ahead, first);
    tile_chain<R>(weights, exceptions, marked, a, lda, w, kQuads / 2, ahead, second);
    for (int r = 0; r < R; ++r) {
      for (int g = 0; g < kGroups; ++g) first[r][g] = S::add(first[r][g], second[r][g]);
    }
    add_to_total<R>(total, first);
  }

  /// True when a block of so few rows was done without a decoded copy.
  template <class Weights>
  static bool direct_rows(const Weights& weights, const Exceptions& exceptions, const bf16* a,
                          std::int64_t lda, const std::byte* w, std::int64_t rows, float* total) {
    if (rows == 1) {
      direct_block<1>(weights, exceptions, a, lda, w, total);
    } else if (rows == 2 && S::kGemmRows >= 2) {
      direct_block<2>(weights, exceptions, a, lda, w, total);
    } else if constexpr (S::kTileRows > 0 && !std::is_same_v<Weights, Pairs>) {
      switch (rows) {
        case 3:
          tile_block<3>(weights, exceptions, a, lda, w, total);
          break;
        case 4:
          tile_block<4>(weights, exceptions, a, lda, w, total);
          break;
        case 5:
          tile_block<5>(weights, exceptions, a, lda, w, total);
          break;
        case 6:
          tile_block<6>(weights, exceptions, a, lda, w, total);
          break;
        default:
          return false;
      }
    } else {
      return false;
    }
    return true;
  }

  static void decode_into(const Decoder& decoder, const std::byte* in, bf16* out,
                          std::int64_t quads, std::int64_t groups) {
    for (std::int64_t q = 0; q < quads; ++q) {
      for (std::int64_t g = 0; g < groups; ++g) {
        P first, second;
        decoder.decode(in + (q * groups + g) * 64, first, second);
        S::store_pairs(out + (2 * q * groups + g) * 32, first);
        S::store_pairs(out + ((2 * q + 1) * groups + g) * 32, second);
      }
    }
  }

  // ---- weights other than BF16 and E4M3 -------------------------------------------------------

  /// A line of 64 four-bit codes, low nibbles first, as 64 E4M3 codes of the same values: E2M1, or
  /// q - zero of INT4, which all E4M3 holds. `zero`: [16] of the line's rows, or null for E2M1.
  static void expand_nibbles(const std::byte* in, const std::uint8_t* zero, std::uint8_t* out) {
    std::uint8_t code[64];
    for (int i = 0; i < 32; ++i) {
      code[i] = static_cast<std::uint8_t>(in[i]) & 15U;
      code[i + 32] = static_cast<std::uint8_t>(in[i]) >> 4;
    }
    if (zero == nullptr) {
      // Magnitudes 0, 0.5, 1, 1.5, 2, 3, 4, 6.
      alignas(16) static constexpr std::uint8_t kE2m1[16] = {0x00, 0x30, 0x38, 0x3C, 0x40, 0x44,
                                                             0x48, 0x4C, 0x80, 0xB0, 0xB8, 0xBC,
                                                             0xC0, 0xC4, 0xC8, 0xCC};
      S::look_up_16(kE2m1, code, out);
      return;
    }
    alignas(16) static constexpr std::uint8_t kIntegers[16] = {0x00, 0x38, 0x40, 0x44, 0x48, 0x4A,
                                                               0x4C, 0x4E, 0x50, 0x51, 0x52, 0x53,
                                                               0x54, 0x55, 0x56, 0x57};
    std::uint8_t sign[64];
    for (int i = 0; i < 64; ++i) {
      const int difference = code[i] - zero[i / 16 * 4 + i % 8 / 2];
      sign[i] = static_cast<std::uint8_t>(difference < 0 ? 0x80 : 0);
      code[i] = static_cast<std::uint8_t>(difference < 0 ? -difference : difference);
    }
    S::look_up_16(kIntegers, code, out);
    for (int i = 0; i < 64; ++i) out[i] |= sign[i];
  }

  /// A line of 64 INT8 values as two vectors of pairs.
  static void widen_int8(const std::byte* line, bf16* first, bf16* second) {
    float values[64];
    for (int i = 0; i < 64; ++i) values[i] = static_cast<float>(static_cast<std::int8_t>(line[i]));
    // Quarter q holds rows 4 q .. 4 q + 3: eight values of the first pair, eight of the second.
    for (int i = 0; i < 64; ++i) {
      bf16* to = i % 16 < 8 ? first : second;
      to[i / 16 * 8 + i % 8] =
          static_cast<bf16>(__builtin_bit_cast(std::uint32_t, values[i]) >> 16);
    }
  }

  /// Quads [begin, end) of a block to BF16 pairs, scales of groups not applied. `w` is the block,
  /// `zero` [64] of kInt4.
  static void decode_block(const GemmPanel& g, const Decoder& decoder, const std::byte* w,
                           const std::uint8_t* zero, std::int64_t begin, std::int64_t end,
                           bf16* out) {
    const std::int64_t line_bytes = weight_bits(g.type) * 8;
    for (std::int64_t line = begin * kGroups; line < end * kGroups; ++line) {
      const std::int64_t group = line % kGroups;
      const std::byte* in = w + line * line_bytes;
      bf16* first = out + (line / kGroups * 2 * kGroups + group) * 32;
      bf16* second = first + kGroups * 32;
      if (g.type == WeightType::kInt8) {
        widen_int8(in, first, second);
        continue;
      }
      std::uint8_t codes[64];
      const std::byte* source = in;
      if (g.type != WeightType::kE4m3) {
        expand_nibbles(in, zero == nullptr ? nullptr : zero + group * 16, codes);
        source = reinterpret_cast<const std::byte*>(codes);
      }
      P a;
      P b;
      decoder.decode(source, a, b);
      S::store_pairs(first, a);
      S::store_pairs(second, b);
    }
  }

  /// Inputs of the block's pairs [begin, end) that lie in [from, to) are multiplied by their row's
  /// scale: products of E2M1 codes and their scales are BF16 values. `twice` [128]: the scale of
  /// each row two times.
  static void scale_pairs(bf16* pairs, std::int64_t from, std::int64_t to, const float* twice) {
    for (std::int64_t p = from / 2; p < (to + 1) / 2; ++p) {
      const bool even = 2 * p >= from;
      const bool odd = 2 * p + 1 < to;
      for (int i = 0; i < 2 * kGroups; ++i) {
        bf16* at = pairs + p * kGroups * 32 + i * 16;
        const V scaled = S::mul(S::load_bf16(at), S::load(twice + i * 16));
        if (even && odd) {
          S::store_bf16(at, scaled);
          continue;
        }
        bf16 lanes[16];
        S::store_bf16(lanes, scaled);
        for (int k = even ? 0 : 1; k < 16; k += 2) at[k] = lanes[k];
      }
    }
  }

  /// Zeroes what lies outside [from, to) in the pairs at its ends.
  static void cut_pairs(bf16* pairs, std::int64_t from, std::int64_t to) {
    for (int row = 0; row < static_cast<int>(kPanelRows); ++row) {
      if (from % 2 != 0) pairs[(from / 2 * kPanelRows + row) * 2] = 0;
      if (to % 2 != 0) pairs[(to / 2 * kPanelRows + row) * 2 + 1] = 0;
    }
  }

  /// Products of the block's inputs [from, to), as `block` sums them, times the rows' scales and,
  /// where it is given, the token's.
  template <int R>
  static void piece_tile(const bf16* a, std::int64_t lda, const bf16* w, std::int64_t from,
                         std::int64_t to, const float* w_scale, const float* a_scale,
                         std::int64_t a_stride, float* total) {
    V first[R][kGroups];
    V second[R][kGroups];
    Ahead ahead;
    const std::int64_t begin = from / 2;
    const std::int64_t end = (to + 1) / 2;
    const std::int64_t middle = smaller(end, begin > kChainPairs ? begin : kChainPairs);
    chain<R>(a + 2 * begin, lda, w + begin * kGroups * 32, begin < middle ? middle - begin : 0,
             ahead, first);
    const std::int64_t start = begin > middle ? begin : middle;
    chain<R>(a + 2 * start, lda, w + start * kGroups * 32, end - start, ahead, second);
    for (int r = 0; r < R; ++r) {
      for (int g = 0; g < kGroups; ++g) {
        V sum = S::mul(S::add(first[r][g], second[r][g]), S::load(w_scale + g * 16));
        if (a_scale != nullptr) sum = S::mul(sum, S::set(a_scale[r * a_stride]));
        float* t = total + r * kPanelRows + g * 16;
        S::store(t, S::add(S::load(t), sum));
      }
    }
  }

  static void piece_rows(const bf16* a, std::int64_t lda, const bf16* w, std::int64_t from,
                         std::int64_t to, const float* w_scale, const float* a_scale,
                         std::int64_t a_stride, std::int64_t rows, float* total) {
    std::int64_t row = 0;
    const auto run = [&]<int R>() {
      for (; row + R <= rows; row += R) {
        piece_tile<R>(a + row * lda, lda, w, from, to, w_scale,
                      a_scale == nullptr ? nullptr : a_scale + row * a_stride, a_stride,
                      total + row * kPanelRows);
      }
    };
    if constexpr (S::kGemmRows >= 6) run.template operator()<6>();
    if constexpr (S::kGemmRows >= 3) run.template operator()<3>();
    if constexpr (S::kGemmRows >= 2) run.template operator()<2>();
    run.template operator()<1>();
  }

  /// Sums a shard whose groups of inputs have scales of their own: E4M3 and integers.
  static void grouped_sums(const GemmPanel& g, const Decoder& decoder, std::int64_t row,
                           std::int64_t shard, std::int64_t rows, float* total, bf16* decoded) {
    std::memset(total, 0, static_cast<std::size_t>(rows * kPanelRows) * sizeof(float));
    for (std::int64_t i = 0; i < g.piece_count; ++i) {
      const Piece& piece = g.pieces[i];
      if (piece.begin / g.shard_k != shard) continue;
      const std::int64_t block = piece.begin / kBlock * kBlock;
      const std::int64_t from = piece.begin - block;
      const std::int64_t to = piece.end - block;
      const std::byte* w = g.w + block * kPanelRows * weight_bits(g.type) / 8;
      const std::uint8_t* zero = g.zero_point == nullptr ? nullptr : g.zero_point + i * kPanelRows;
      decode_block(g, decoder, w, zero, from / 4, (to + 3) / 4, decoded);
      cut_pairs(decoded, from, to);
      const float* a_scale = g.a_scale_groups ? g.a_scale + row * g.piece_count + i : nullptr;
      piece_rows(g.a + row * g.lda + block, g.lda, decoded, from, to,
                 g.group_scale + i * kPanelRows, a_scale, g.piece_count, rows, total);
    }
  }

  /// Sums a shard of E2M1 weights: a block becomes BF16, then as with BF16 weights.
  static void e2m1_sums(const GemmPanel& g, const Decoder& decoder, const bf16* a,
                        std::int64_t shard, std::int64_t rows, float* total, bf16* decoded) {
    std::memset(total, 0, static_cast<std::size_t>(rows * kPanelRows) * sizeof(float));
    float* twice = g.scratch + gemm_scratch_floats() - 2 * kPanelRows;
    for (std::int64_t i = 0; i < g.piece_count;) {
      const std::int64_t block = g.pieces[i].begin / kBlock * kBlock;
      if (block / g.shard_k != shard) {
        ++i;
        continue;
      }
      std::int64_t last = i;
      while (last < g.piece_count && g.pieces[last].begin / kBlock * kBlock == block) ++last;
      const std::int64_t used = g.pieces[last - 1].end - block;
      decode_block(g, decoder, g.w + block * kPanelRows / 2, nullptr, 0, (used + 3) / 4, decoded);
      for (; i < last; ++i) {
        for (std::int64_t r = 0; r < kPanelRows; ++r) {
          twice[2 * r] = twice[2 * r + 1] = g.group_scale[i * kPanelRows + r];
        }
        scale_pairs(decoded, g.pieces[i].begin - block, g.pieces[i].end - block, twice);
      }
      block_rows(a + block - shard * g.shard_k, g.lda, decoded, (used + 1) / 2, rows, nullptr, 0,
                 total);
    }
  }

  /// INT8 weights. With INT8 activations a block's sums are integers below 2^24, so exact, and are
  /// added as integers.
  static void int8_sums(const GemmPanel& g, const Decoder& decoder, const bf16* a,
                        const std::byte* w, std::int64_t rows, float* total, bf16* decoded) {
    std::memset(total, 0, static_cast<std::size_t>(rows * kPanelRows) * sizeof(float));
    float* sums = g.scratch + 4 * kGemmRowTile * kPanelRows;
    for (std::int64_t k = 0; k < g.shard_used; k += kBlock) {
      const std::int64_t pairs = smaller(kBlockPairs, (g.shard_used - k + 1) / 2);
      decode_block(g, decoder, w + k * kPanelRows, nullptr, 0, (pairs + 1) / 2, decoded);
      if (!g.integer) {
        block_rows(a + k, g.lda, decoded, pairs, rows, nullptr, 0, total);
        continue;
      }
      std::memset(sums, 0, static_cast<std::size_t>(rows * kPanelRows) * sizeof(float));
      block_rows(a + k, g.lda, decoded, pairs, rows, nullptr, 0, sums);
      auto* integers = reinterpret_cast<std::int32_t*>(total);
      // A NaN's scale is NaN, too, and makes the output one.
      for (std::int64_t i = 0; i < rows * kPanelRows; ++i) {
        integers[i] += sums[i] == sums[i] ? static_cast<std::int32_t>(sums[i]) : 0;
      }
    }
    if (!g.integer) return;
    for (std::int64_t i = 0; i < rows * kPanelRows; ++i) {
      total[i] = static_cast<float>(__builtin_bit_cast(std::int32_t, total[i]));
    }
  }

  /// One shard of K for `rows` rows from `row` on.
  static void any_shard_sums(const GemmPanel& g, const Decoder& decoder, std::int64_t row,
                             std::int64_t shard, std::int64_t rows, float* total, bf16* decoded) {
    const bf16* a = g.a + row * g.lda + shard * g.shard_k;
    const std::byte* w = g.w + shard * g.shard_k * kPanelRows * weight_bits(g.type) / 8;
    if (g.type == WeightType::kE2m1) return e2m1_sums(g, decoder, a, shard, rows, total, decoded);
    if (g.pieces != nullptr) return grouped_sums(g, decoder, row, shard, rows, total, decoded);
    if (g.type == WeightType::kInt8) return int8_sums(g, decoder, a, w, rows, total, decoded);
    if (g.type == WeightType::kBf16Compressed) {
      return compressed_sums(g, a, shard * g.shard_k, rows, total, decoded);
    }
    shard_sums(g, decoder, a, w, rows, total, decoded);
  }

  /// Sums a shard of compressed BF16 weights whose first padded input is `begin`.
  static void compressed_sums(const GemmPanel& g, const bf16* a, std::int64_t begin,
                              std::int64_t rows, float* total, bf16* decoded) {
    std::memset(total, 0, static_cast<std::size_t>(rows * kPanelRows) * sizeof(float));
    const Compressed weights{Bf16Decoder(bf16_exponent_bytes(g.top_exponent))};
    const Bf16Exception* const end = g.exceptions + g.exception_count;
    Exceptions of_block{g.exceptions, g.exceptions, 0};
    for (std::int64_t k = 0; k < g.shard_used; k += kBlock) {
      of_block.origin = (begin + k) * kPanelRows;
      of_block.begin = of_block.end;
      while (of_block.begin != end && of_block.begin->position < of_block.origin) ++of_block.begin;
      of_block.end = of_block.begin;
      while (of_block.end != end &&
             of_block.end->position < of_block.origin + kBlock * kPanelRows) {
        ++of_block.end;
      }
      const std::byte* w = g.w + of_block.origin / kBf16QuadValues * kBf16QuadBytes;
      const std::int64_t pairs = smaller(kBlockPairs, (g.shard_used - k + 1) / 2);
      if (pairs == kBlockPairs && direct_rows(weights, of_block, a + k, g.lda, w, rows, total)) {
        continue;
      }
      // Decoding asks for a third of the next block, so that memory does not rest meanwhile.
      constexpr std::int64_t kBytes = kBlock / 4 * kBf16QuadBytes;
      Ahead ahead{w + kBytes, 2};
      for (std::int64_t q = 0; q < (pairs + 1) / 2; ++q) {
        ahead.fetch();
        decode_quad(weights, w + q * kBf16QuadBytes, decoded + q * kBf16QuadValues);
      }
      of_block.apply(decoded, 0, kBlock * kPanelRows);
      block_rows(a + k, g.lda, decoded, pairs, rows, w + kBytes * 4 / 3, kBytes * 2 / 3, total);
    }
  }

  /// Sums one shard of K for `rows` rows into total [rows, 64].
  static void shard_sums(const GemmPanel& g, const Decoder& decoder, const bf16* a,
                         const std::byte* w, std::int64_t rows, float* total, bf16* decoded) {
    std::memset(total, 0, static_cast<std::size_t>(rows * kPanelRows) * sizeof(float));
    const std::int64_t element = g.type == WeightType::kBf16 ? 2 : 1;
    for (std::int64_t k = 0; k < g.shard_used; k += kBlock) {
      const std::int64_t pairs = smaller(kBlockPairs, (g.shard_used - k + 1) / 2);
      const std::byte* weights = w + k * kPanelRows * element;
      const bool full = pairs == kBlockPairs;
      if (g.type == WeightType::kBf16) {
        if (full && direct_rows(Pairs(), {}, a + k, g.lda, weights, rows, total)) continue;
        block_rows(a + k, g.lda, reinterpret_cast<const bf16*>(weights), pairs, rows,
                   weights + kBlockBytes * 2, kBlockBytes * 2, total);
      } else {
        if (full && direct_rows(Codes{decoder}, {}, a + k, g.lda, weights, rows, total)) continue;
        decode_into(decoder, weights, decoded, (pairs + 1) / 2, kGroups);
        block_rows(a + k, g.lda, decoded, pairs, rows, weights + kBlockBytes, kBlockBytes, total);
      }
    }
  }

  static void add_levels(float* a, const float* b, std::int64_t floats) {
    for (std::int64_t i = 0; i < floats; i += 16) {
      S::store(a + i, S::add(S::load(a + i), S::load(b + i)));
    }
  }

  static void scale_rows(float* total, const float* scale, std::int64_t stride, std::int64_t rows) {
    for (std::int64_t r = 0; r < rows; ++r) {
      const V s = S::set(scale[r * stride]);
      for (int g = 0; g < kGroups; ++g) {
        float* t = total + r * kPanelRows + g * 16;
        S::store(t, S::mul(S::load(t), s));
      }
    }
  }

  static void write_out(const GemmPanel& g, const float* total, std::int64_t row,
                        std::int64_t rows) {
    for (std::int64_t r = 0; r < rows; ++r) {
      for (int i = 0; i < kGroups; ++i) {
        V v = S::load(total + r * kPanelRows + i * 16);
        if (g.w_scale != nullptr) v = S::mul(v, S::load(g.w_scale + i * 16));
        if (g.bias != nullptr) v = S::add(v, S::load(g.bias + i * 16));
        const std::int64_t at = (row + r) * g.ldo + i * 16;
        if (g.out_bf16) {
          S::store_bf16(static_cast<bf16*>(g.out) + at, S::round_bf16(v));
        } else {
          S::store(static_cast<float*>(g.out) + at, v);
        }
      }
    }
  }

  static void gemm_panel(const GemmPanel& g) {
    const Decoder decoder;
    const std::int64_t level = kGemmRowTile * kPanelRows;
    bf16* decoded = reinterpret_cast<bf16*>(g.scratch + 5 * level);
    for (std::int64_t row = 0; row < g.rows; row += kGemmRowTile) {
      const std::int64_t rows = smaller(kGemmRowTile, g.rows - row);
      std::int64_t depth = 0;  // subtrees that wait for their right neighbour
      for (std::int64_t s = 0; s < g.shards; ++s) {
        float* total = g.scratch + depth * level;
        any_shard_sums(g, decoder, row, s, rows, total, decoded);
        if (g.a_scale != nullptr && !g.a_scale_groups) {
          scale_rows(total, g.a_scale + row * g.shards + s, g.shards, rows);
        }
        ++depth;
        for (std::int64_t t = s + 1; t % 2 == 0; t /= 2) {
          --depth;
          add_levels(g.scratch + (depth - 1) * level, g.scratch + depth * level, rows * kPanelRows);
        }
      }
      write_out(g, g.scratch, row, rows);
    }
  }

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
    decode_into(Decoder(), in, out, quads, groups);
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

  static CpuKernels table(const char* name) {
    CpuKernels kernels;
    kernels.name = name;
    kernels.gemm_panel = gemm_panel;
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
    return kernels;
  }
};

}  // namespace assay::engine
