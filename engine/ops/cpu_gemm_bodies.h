// The matrix product of one panel over a vector type S: shards, groups of inputs with scales of
// their own, the tree over shards. Included as cpu_kernel_bodies.h says.
#pragma once

#include <cstdint>
#include <cstring>

#include "engine/ops/cpu_gemm_blocks.h"

namespace assay::engine {

template <class S>
struct GemmBodies : GemmBlocks<S> {
  using Blocks = GemmBlocks<S>;
  using Blocks::block_sums;
  using Blocks::kBlockPairs;
  using Blocks::kChainPairs;
  using Blocks::kGroups;
  using Blocks::smaller;
  using typename Blocks::Ahead;
  using typename Blocks::Exceptions;
  using typename Blocks::P;
  using typename Blocks::V;

  /// Where a thread works: the panel, rows [row, row + rows) of the batch, and room for a decoded
  /// block and for the sums of one.
  struct Task {
    const GemmPanel& g;
    const typename Blocks::Decoder& e4m3;
    std::int64_t row = 0;
    std::int64_t rows = 0;
    bf16* decoded = nullptr;
    float* sums = nullptr;   // [rows, 64]
    float* twice = nullptr;  // [128]

    [[nodiscard]] const bf16* inputs(std::int64_t k) const { return g.a + row * g.lda + k; }
    /// The block that begins at padded input k.
    [[nodiscard]] const std::byte* weights(std::int64_t k) const {
      return g.w + k * kPanelRows * weight_bits(g.type) / 8;
    }
  };

  static void clear(float* sums, std::int64_t rows) {
    std::memset(sums, 0, static_cast<std::size_t>(rows * kPanelRows) * sizeof(float));
  }

  // ---- parts of a block -----------------------------------------------------------------------

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
    Blocks::template chain<R>(a + 2 * begin, lda, w + begin * kGroups * 32,
                              begin < middle ? middle - begin : 0, ahead, first);
    const std::int64_t start = begin > middle ? begin : middle;
    Blocks::template chain<R>(a + 2 * start, lda, w + start * kGroups * 32, end - start, ahead,
                              second);
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

  template <class Weights>
  static void decode_quads(const Weights& weights, const std::byte* block, std::int64_t begin,
                           std::int64_t end, bf16* out) {
    for (std::int64_t q = begin; q < end; ++q) {
      Blocks::decode_quad(weights, block, q, out + q * kBf16QuadValues);
    }
  }

  // ---- shards ---------------------------------------------------------------------------------

  /// Calls body(how the weights of the panel are read) for types with groups.
  template <class Body>
  static void with_weights(const Task& t, std::int64_t piece, const Body& body) {
    switch (t.g.type) {
      case WeightType::kInt8:
        return body(typename Blocks::Integers());
      case WeightType::kInt4:
        return body(typename Blocks::ZeroedIntegers(t.g.zero_point + piece * kPanelRows));
      default:
        return body(typename Blocks::Codes{t.e4m3});
    }
  }

  /// total += sums * the rows' scales (* the token's).
  static void add_scaled(const Task& t, const float* w_scale, const float* a_scale,
                         std::int64_t a_stride, float* total) {
    for (std::int64_t r = 0; r < t.rows; ++r) {
      for (int g = 0; g < kGroups; ++g) {
        const std::int64_t at = r * kPanelRows + g * 16;
        V sum = S::mul(S::load(t.sums + at), S::load(w_scale + g * 16));
        if (a_scale != nullptr) sum = S::mul(sum, S::set(a_scale[r * a_stride]));
        S::store(total + at, S::add(S::load(total + at), sum));
      }
    }
  }

  /// Sums a shard whose groups of inputs have scales of their own: E4M3 and integers.
  static void grouped_sums(const Task& t, std::int64_t shard, float* total) {
    const GemmPanel& g = t.g;
    for (std::int64_t i = 0; i < g.piece_count; ++i) {
      const Piece& piece = g.pieces[i];
      if (piece.begin / g.shard_k != shard) continue;
      const std::int64_t block = piece.begin / kBlock * kBlock;
      const std::int64_t from = piece.begin - block;
      const std::int64_t to = piece.end - block;
      const float* w_scale = g.group_scale + i * kPanelRows;
      const float* a_scale = g.a_scale_groups ? g.a_scale + t.row * g.piece_count + i : nullptr;
      with_weights(t, i, [&](const auto& weights) {
        if (from == 0 && to == kBlock) {
          clear(t.sums, t.rows);
          block_sums(weights, {}, t.inputs(block), g.lda, t.weights(block), kBlockPairs, t.rows,
                     t.sums, t.decoded);
          add_scaled(t, w_scale, a_scale, g.piece_count, total);
          return;
        }
        decode_quads(weights, t.weights(block), from / 4, (to + 3) / 4, t.decoded);
        cut_pairs(t.decoded, from, to);
        piece_rows(t.inputs(block), g.lda, t.decoded, from, to, w_scale, a_scale, g.piece_count,
                   t.rows, total);
      });
    }
  }

  /// True when pieces [first, last) cut a whole block into equal ones of whole quads.
  static bool even_pieces(const GemmPanel& g, std::int64_t first, std::int64_t last) {
    const std::int64_t size = g.pieces[first].end - g.pieces[first].begin;
    for (std::int64_t i = first; i < last; ++i) {
      if (g.pieces[i].end - g.pieces[i].begin != size) return false;
    }
    return size % 4 == 0 && size * (last - first) == kBlock;
  }

  /// Sums a shard of E2M1 weights: a block becomes BF16, then as with BF16 weights.
  static void e2m1_sums(const Task& t, std::int64_t shard, float* total) {
    const GemmPanel& g = t.g;
    for (std::int64_t i = 0; i < g.piece_count;) {
      const std::int64_t block = g.pieces[i].begin / kBlock * kBlock;
      if (block / g.shard_k != shard) {
        ++i;
        continue;
      }
      std::int64_t last = i;
      while (last < g.piece_count && g.pieces[last].begin / kBlock * kBlock == block) ++last;
      const float* scale = g.group_scale + i * kPanelRows;
      if (even_pieces(g, i, last)) {
        const typename Blocks::ScaledNibbles weights{
            .codes = {}, .scale = scale, .quads = kBlock / 4 / (last - i)};
        block_sums(weights, {}, t.inputs(block), g.lda, t.weights(block), kBlockPairs, t.rows,
                   total, t.decoded);
        i = last;
        continue;
      }
      const std::int64_t used = g.pieces[last - 1].end - block;
      decode_quads(typename Blocks::Nibbles(), t.weights(block), 0, (used + 3) / 4, t.decoded);
      for (; i < last; ++i) {
        for (std::int64_t r = 0; r < kPanelRows; ++r) {
          t.twice[2 * r] = t.twice[2 * r + 1] = g.group_scale[i * kPanelRows + r];
        }
        scale_pairs(t.decoded, g.pieces[i].begin - block, g.pieces[i].end - block, t.twice);
      }
      Blocks::block_rows(t.inputs(block), g.lda, t.decoded, (used + 1) / 2, t.rows, nullptr, 0,
                         total);
    }
  }

  /// INT8 weights with INT8 activations: a block's sums are integers below 2^24, so exact, and are
  /// added as integers.
  static void integer_sums(const Task& t, std::int64_t begin, float* total) {
    const GemmPanel& g = t.g;
    auto* integers = reinterpret_cast<std::int32_t*>(total);
    for (std::int64_t k = begin; k < begin + g.shard_used; k += kBlock) {
      clear(t.sums, t.rows);
      block_sums(typename Blocks::Integers(), {}, t.inputs(k), g.lda, t.weights(k),
                 used_pairs(g, k - begin), t.rows, t.sums, t.decoded);
      // A NaN's scale is NaN, too, and makes the output one.
      for (std::int64_t i = 0; i < t.rows * kPanelRows; ++i) {
        integers[i] += t.sums[i] == t.sums[i] ? static_cast<std::int32_t>(t.sums[i]) : 0;
      }
    }
    for (std::int64_t i = 0; i < t.rows * kPanelRows; ++i) {
      total[i] = static_cast<float>(__builtin_bit_cast(std::int32_t, total[i]));
    }
  }

  /// Pairs of the block at input k of a shard that are in use.
  static std::int64_t used_pairs(const GemmPanel& g, std::int64_t k) {
    return smaller(kBlockPairs, (g.shard_used - k + 1) / 2);
  }

  /// Weights without scales of groups; `begin` is the shard's first padded input.
  template <class Weights>
  static void plain_sums(const Task& t, const Weights& weights, std::int64_t begin, float* total) {
    for (std::int64_t k = begin; k < begin + t.g.shard_used; k += kBlock) {
      block_sums(weights, {}, t.inputs(k), t.g.lda, t.weights(k), used_pairs(t.g, k - begin),
                 t.rows, total, t.decoded);
    }
  }

  static void compressed_sums(const Task& t, std::int64_t begin, float* total) {
    const GemmPanel& g = t.g;
    const typename Blocks::Compressed weights(g.top_exponent);
    const Bf16Exception* const end = g.exceptions + g.exception_count;
    Exceptions of_block{g.exceptions, g.exceptions, 0};
    for (std::int64_t k = begin; k < begin + g.shard_used; k += kBlock) {
      of_block.origin = k * kPanelRows;
      of_block.begin = of_block.end;
      while (of_block.begin != end && of_block.begin->position < of_block.origin) ++of_block.begin;
      of_block.end = of_block.begin;
      while (of_block.end != end &&
             of_block.end->position < of_block.origin + kBlock * kPanelRows) {
        ++of_block.end;
      }
      block_sums(weights, of_block, t.inputs(k), g.lda, t.weights(k), used_pairs(g, k - begin),
                 t.rows, total, t.decoded);
    }
  }

  /// One shard of K into total [rows, 64].
  static void shard_sums(const Task& t, std::int64_t shard, float* total) {
    const GemmPanel& g = t.g;
    const std::int64_t begin = shard * g.shard_k;
    clear(total, t.rows);
    if (g.type == WeightType::kE2m1) return e2m1_sums(t, shard, total);
    if (g.pieces != nullptr) return grouped_sums(t, shard, total);
    switch (g.type) {
      case WeightType::kBf16:
        return plain_sums(t, typename Blocks::Pairs(), begin, total);
      case WeightType::kBf16Compressed:
        return compressed_sums(t, begin, total);
      case WeightType::kInt8:
        return g.integer ? integer_sums(t, begin, total)
                         : plain_sums(t, typename Blocks::Integers(), begin, total);
      default:
        return plain_sums(t, typename Blocks::Codes{t.e4m3}, begin, total);
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
    const typename Blocks::Decoder decoder;
    const std::int64_t level = kGemmRowTile * kPanelRows;
    Task t{.g = g,
           .e4m3 = decoder,
           .decoded = reinterpret_cast<bf16*>(g.scratch + 5 * level),
           .sums = g.scratch + 4 * level,
           .twice = g.scratch + gemm_scratch_floats() - 2 * kPanelRows};
    for (; t.row < g.rows; t.row += kGemmRowTile) {
      t.rows = smaller(kGemmRowTile, g.rows - t.row);
      std::int64_t depth = 0;  // subtrees that wait for their right neighbour
      for (std::int64_t s = 0; s < g.shards; ++s) {
        float* total = g.scratch + depth * level;
        shard_sums(t, s, total);
        if (g.a_scale != nullptr && !g.a_scale_groups) {
          scale_rows(total, g.a_scale + t.row * g.shards + s, g.shards, t.rows);
        }
        ++depth;
        for (std::int64_t n = s + 1; n % 2 == 0; n /= 2) {
          --depth;
          add_levels(g.scratch + (depth - 1) * level, g.scratch + depth * level,
                     t.rows * kPanelRows);
        }
      }
      write_out(g, g.scratch, t.row, t.rows);
    }
  }
};

}  // namespace assay::engine
