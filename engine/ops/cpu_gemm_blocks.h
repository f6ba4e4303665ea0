// Sums of one block of 128 inputs, whatever the weights are held as: the innermost loops of the
// matrix product over a vector type S (simd_*.h). Included as cpu_kernel_bodies.h says.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "engine/ops/cpu_kernels.h"

namespace assay::engine {

template <class S>
struct GemmBlocks {
  using V = typename S::V;
  using P = typename S::P;
  using Decoder = typename S::Decoder;
  using Bf16Decoder = typename S::Bf16Decoder;
  using IntegerDecoder = typename S::IntegerDecoder;
  using NibbleDecoder = typename S::NibbleDecoder;
  static constexpr int kGroups = kPanelRows / 16;  // vectors of outputs in a panel
  static constexpr std::int64_t kBlockPairs = kBlock / 2;
  static constexpr std::int64_t kChainPairs = kBlockPairs / 2;
  static constexpr std::int64_t kBlockQuads = kBlock / 4;
  static constexpr std::int64_t kChainQuads = kBlockQuads / 2;
  // One block of E4M3 weights: of 3, 8 and 16 KiB the best on a core with 30 GB/s.
  static constexpr std::int64_t kPrefetchBytes = 8192;

  static std::int64_t smaller(std::int64_t a, std::int64_t b) { return a < b ? a : b; }

  // ---- how weights are read: the two pair vectors of four inputs (a quad) and 16 rows ----------
  // load(block, q, g, a, b): quad q of a block and rows of group g; a: its first pair of inputs.

  /// Lines of 64 codes of a byte.
  template <class D>
  struct Lines {
    D decoder;
    static constexpr std::int64_t kQuadBytes = 256;
    [[gnu::always_inline]] void load(const std::byte* block, std::int64_t q, int g, P& a,
                                     P& b) const {
      decoder.decode(block + q * kQuadBytes + g * 64, a, b);
    }
  };
  using Codes = Lines<const Decoder&>;  // E4M3; its tables are made once a panel
  using Integers = Lines<IntegerDecoder>;
  /// BF16 pairs.
  struct Pairs {
    static constexpr std::int64_t kQuadBytes = 512;
    [[gnu::always_inline]] void load(const std::byte* block, std::int64_t q, int g, P& a,
                                     P& b) const {
      const auto* pairs = reinterpret_cast<const bf16*>(block + q * kQuadBytes);
      a = S::load_pairs(pairs + g * 32);
      b = S::load_pairs(pairs + (kGroups + g) * 32);
    }
  };
  /// Compressed BF16, without the exceptions.
  struct Compressed {
    Bf16Decoder decoder;
    static constexpr std::int64_t kQuadBytes = kBf16QuadBytes;
    explicit Compressed(std::uint8_t top) : decoder(exponent_bytes(top)) {}
    static Bf16ExponentBytes exponent_bytes(unsigned top) {
      Bf16ExponentBytes out{};
      for (unsigned code = 0; code < kExponentCodes && code <= top; ++code) {
        out.high[code] = static_cast<std::uint8_t>((top - code) >> 1U);
        out.low[code] = static_cast<std::uint8_t>((top - code) << 7U & 0x80U);
      }
      return out;
    }
    [[gnu::always_inline]] void load(const std::byte* block, std::int64_t q, int g, P& a,
                                     P& b) const {
      decoder.decode(block + q * kQuadBytes, g, a, b);
    }
  };
  /// INT4 lines less the zero points of their rows.
  struct ZeroedIntegers {
    NibbleDecoder decoder;
    P zeros[kGroups];
    static constexpr std::int64_t kQuadBytes = 128;
    explicit ZeroedIntegers(const std::uint8_t* zero_points) {
      for (int g = 0; g < kGroups; ++g) zeros[g] = S::spread_rows(zero_points + g * 16);
    }
    [[gnu::always_inline]] void load(const std::byte* block, std::int64_t q, int g, P& a,
                                     P& b) const {
      decoder.integers(block + q * kQuadBytes + g * 32, zeros[g], a, b);
    }
  };
  /// E2M1 lines, unscaled.
  struct Nibbles {
    NibbleDecoder decoder;
    static constexpr std::int64_t kQuadBytes = 128;
    [[gnu::always_inline]] void load(const std::byte* block, std::int64_t q, int g, P& a,
                                     P& b) const {
      decoder.e2m1(block + q * kQuadBytes + g * 32, a, b);
    }
  };
  /// E2M1 lines times the scales of their rows and groups of inputs, which gives BF16 values.
  struct ScaledNibbles {
    Nibbles codes;
    const float* scale = nullptr;  // [pieces of the block][64]
    std::int64_t quads = 0;        // of a piece
    static constexpr std::int64_t kQuadBytes = Nibbles::kQuadBytes;
    [[gnu::always_inline]] void load(const std::byte* block, std::int64_t q, int g, P& a,
                                     P& b) const {
      codes.load(block, q, g, a, b);
      const V s = S::load(scale + q / quads * kPanelRows + g * 16);
      a = S::scale_pairs(a, s);
      b = S::scale_pairs(b, s);
    }
  };

  // ---- sums -----------------------------------------------------------------------------------

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
    constexpr std::int64_t kTileBytes = 64 * kBlockPairs;  // a line with every pair
    const std::int64_t fetching = all == 1 || next_bytes < 2 * kTileBytes ? 1 : 2;
    const std::int64_t share = next_bytes / fetching;
    for (std::int64_t tiles = all; tiles > 0; --tiles) {
      const std::int64_t height = (rows + tiles - 1) / tiles;
      const Ahead ahead{next, all - tiles < fetching ? share / kTileBytes : 0};
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

  /// Exceptions of one block of compressed weights; positions count from the panel's begin.
  struct Exceptions {
    const Bf16Exception* begin = nullptr;
    const Bf16Exception* end = nullptr;
    std::int64_t origin = 0;  // position of the block's first value
    /// Bit q: quad q of either chain has some.
    [[nodiscard]] std::uint32_t quads() const {
      std::uint32_t out = 0;
      for (const Bf16Exception* e = begin; e != end; ++e) {
        out |= 1U << ((e->position - origin) / kBf16QuadValues % kChainQuads);
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
  [[gnu::always_inline]] static void decode_quad(const Weights& weights, const std::byte* block,
                                                 std::int64_t q, bf16* out) {
    for (int g = 0; g < kGroups; ++g) {
      P a, b;
      weights.load(block, q, g, a, b);
      S::store_pairs(out + g * 32, a);
      S::store_pairs(out + (kGroups + g) * 32, b);
    }
  }

  /// Quad `near` of a block's first chain and `far` of its second.
  template <int R, class Weights>
  [[gnu::always_inline]] static void direct_quads(const Weights& weights, const std::byte* block,
                                                  std::int64_t near, std::int64_t far,
                                                  const P (&x)[2][R][2], V (&first)[R][kGroups],
                                                  V (&second)[R][kGroups]) {
    for (int g = 0; g < kGroups; ++g) {
      P w0, w1, w2, w3;
      weights.load(block, near, g, w0, w1);
      weights.load(block, far, g, w2, w3);
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
    const std::uint32_t marked = exceptions.quads();
    for (std::int64_t q = 0; q < kChainQuads; ++q) {
      for (std::int64_t line = 0; line < 2 * Weights::kQuadBytes; line += 64) {
        __builtin_prefetch(w + 2 * q * Weights::kQuadBytes + line + kPrefetchBytes);
      }
      P x[2][R][2];
      for (int r = 0; r < R; ++r) {
        for (int i = 0; i < 2; ++i) {
          x[0][r][i] = S::broadcast_pair(a + r * lda + 4 * q + 2 * i);
          x[1][r][i] = S::broadcast_pair(a + r * lda + kBlock / 2 + 4 * q + 2 * i);
        }
      }
      if ((marked >> q & 1U) == 0) {
        direct_quads<R>(weights, w, q, q + kChainQuads, x, first, second);
        continue;
      }
      bf16 decoded[2][kBf16QuadValues];
      for (int half = 0; half < 2; ++half) {
        const std::int64_t quad = q + half * kChainQuads;
        decode_quad(weights, w, quad, decoded[half]);
        exceptions.apply(decoded[half], quad * kBf16QuadValues, kBf16QuadValues);
      }
      direct_quads<R>(Pairs(), reinterpret_cast<const std::byte*>(decoded), 0, 1, x, first, second);
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
    for (int r = 0; r < R; ++r) {
      for (int g = 0; g < kGroups; ++g) acc[r][g] = S::zero();
    }
    const auto step = [&](const auto& from, const std::byte* block, std::int64_t at,
                          std::int64_t q) {
      P weight[2][kGroups];
      for (int g = 0; g < kGroups; ++g) from.load(block, at, g, weight[0][g], weight[1][g]);
      for (int pair = 0; pair < 2; ++pair) {
        for (int r = 0; r < R; ++r) {
          const P x = S::broadcast_pair(a + r * lda + 4 * q + 2 * pair);
          for (int g = 0; g < kGroups; ++g) acc[r][g] = S::dot(acc[r][g], weight[pair][g], x);
        }
      }
    };
    for (std::int64_t q = first_quad; q < first_quad + kChainQuads; ++q) {
      ahead.fetch();
      if ((marked >> (q - first_quad) & 1U) == 0) {
        step(weights, w, q, q);
        continue;
      }
      bf16 decoded[kBf16QuadValues];
      decode_quad(weights, w, q, decoded);
      exceptions.apply(decoded, q * kBf16QuadValues, kBf16QuadValues);
      step(Pairs(), reinterpret_cast<const std::byte*>(decoded), 0, q);
    }
  }

  /// One block of 128 inputs straight from the packed weights; asks for the next one.
  template <int R, class Weights>
  static void tile_block(const Weights& weights, const Exceptions& exceptions, const bf16* a,
                         std::int64_t lda, const std::byte* w, float* total) {
    const std::uint32_t marked = exceptions.quads();
    Ahead ahead{w + kBlockQuads * Weights::kQuadBytes, Weights::kQuadBytes / 64};
    V first[R][kGroups];
    V second[R][kGroups];
    tile_chain<R>(weights, exceptions, marked, a, lda, w, 0, ahead, first);
    tile_chain<R>(weights, exceptions, marked, a, lda, w, kChainQuads, ahead, second);
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

  /// total += the sums of one block, `pairs` of whose pairs of inputs are used, for `rows` rows.
  /// `decoded` has room for a block.
  template <class Weights>
  static void block_sums(const Weights& weights, const Exceptions& exceptions, const bf16* a,
                         std::int64_t lda, const std::byte* w, std::int64_t pairs,
                         std::int64_t rows, float* total, bf16* decoded) {
    if (pairs == kBlockPairs && direct_rows(weights, exceptions, a, lda, w, rows, total)) return;
    constexpr std::int64_t kBytes = kBlockQuads * Weights::kQuadBytes;
    const std::byte* next = w + kBytes;
    if constexpr (std::is_same_v<Weights, Pairs>) {
      block_rows(a, lda, reinterpret_cast<const bf16*>(w), pairs, rows, next, kBytes, total);
    } else {
      // Decoding asks for what two tiles of rows do not, so that memory does not rest meanwhile.
      constexpr std::int64_t kLines =
          Weights::kQuadBytes > 256 ? (Weights::kQuadBytes - 256) / 64 : 0;
      Ahead ahead{next, kLines};
      for (std::int64_t q = 0; q < (pairs + 1) / 2; ++q) {
        ahead.fetch();
        decode_quad(weights, w, q, decoded + q * kBf16QuadValues);
      }
      exceptions.apply(decoded, 0, kBlock * kPanelRows);
      constexpr std::int64_t kTaken = kBlockQuads * kLines * 64;
      block_rows(a, lda, decoded, pairs, rows, next + kTaken, kBytes - kTaken, total);
    }
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
};

}  // namespace assay::engine
