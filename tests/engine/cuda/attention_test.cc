// Rotation, cache and attention on the device against the CPU's: every head layout of the real
// models and odd ones; sequences that end inside a chunk, at a chunk, beyond spans of 512.
#include "engine/ops/attention.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "base/random.h"
#include "engine/kv_cache.h"
#include "engine/ops/paged_attention.h"
#include "engine/ops/rope_cache.h"
#include "tests/engine/cuda/device_array.h"

namespace assay::engine {
namespace {

using test::DeviceArray;

struct Layout {
  int heads, kv_heads, head_dim;
};
void PrintTo(const Layout& l, std::ostream* out) {
  *out << l.heads << " heads, " << l.kv_heads << " KV heads of " << l.head_dim;
}

struct Piece {
  int first_position, rows;
};

/// A step of several sequences whose earlier keys and values are in the cache already, on both
/// sides.
class Step {
 public:
  Step(const Layout& layout, KvType kv, const std::vector<Piece>& pieces, int most_rows_a_tile)
      : layout_(layout),
        kv_(kv),
        ld_((layout.heads + 2 * layout.kv_heads) * layout.head_dim),
        random_(41) {
    int longest = 0;
    for (const Piece& piece : pieces) {
      longest = std::max(longest, piece.first_position + piece.rows);
    }
    table_ld_ = (longest + 63) / 64;
    while (table_ld_ % kSpanChunks != 0) ++table_ld_;
    build_sequences(pieces, most_rows_a_tile);
    make_rope(longest);
    fill();
  }

  /// Rotation and cache on the device must be the CPU's.
  void expect_same_queries() const {
    const auto mine = qkv_device_.values();
    const std::size_t width = static_cast<std::size_t>(layout_.heads * layout_.head_dim);
    for (std::size_t r = 0; r < positions_.size(); ++r) {
      for (std::size_t i = 0; i < width; ++i) {
        const std::size_t at = r * static_cast<std::size_t>(ld_) + i;
        ASSERT_EQ(mine[at], rotated_[at]) << "row " << r << ", value " << i;
      }
    }
  }

  std::vector<bf16> on_cpu() {
    CpuContext context(
        cpu_kernels(), 1,
        attention_scratch_floats(layout_.heads / layout_.kv_heads, layout_.head_dim));
    const FlushSubnormals flush;
    std::vector<bf16> out(positions_.size() * width());
    attention_cpu(context, *cache_,
                  {.q = rotated_.data(),
                   .ld = ld_,
                   .out = out.data(),
                   .ldo = static_cast<std::int64_t>(width()),
                   .layer = 0,
                   .sequences = sequences_,
                   .heads = layout_.heads,
                   .kv_heads = layout_.kv_heads,
                   .head_dim = layout_.head_dim});
    return out;
  }

  template <typename Kernel>
  std::vector<bf16> on_device(const Kernel& kernel) const {
    const DeviceArray<bf16> out(positions_.size() * width());
    const DeviceArray<float> partials(
        static_cast<std::size_t>(spans_ * layout_.heads * (layout_.head_dim + 2)));
    PagedAttentionArgs args = args_;
    args.out = out.get();
    args.ldo = static_cast<int>(width());
    args.partials = partials.get();
    kernel(nullptr, args);
    EXPECT_TRUE(out.guard_is_intact());
    EXPECT_TRUE(partials.guard_is_intact());
    return out.values();
  }

  std::size_t width() const { return static_cast<std::size_t>(layout_.heads * layout_.head_dim); }

 private:
  void build_sequences(const std::vector<Piece>& pieces, int most) {
    std::int32_t next_page = 0;
    std::vector<AttentionTile> prompts;
    for (std::size_t s = 0; s < pieces.size(); ++s) {
      const Piece& piece = pieces[s];
      const int end = piece.first_position + piece.rows;
      std::vector<std::int32_t> pages;
      // Not in order, so that a page's number is not its place.
      for (int p = 0; p * 64 < end; ++p) pages.push_back(next_page++);
      std::reverse(pages.begin(), pages.end());
      pages_.push_back(pages);
      const auto first_row = static_cast<int>(positions_.size());
      for (int r = 0; r < piece.rows; ++r) {
        positions_.push_back(piece.first_position + r);
        sequence_.push_back(static_cast<int>(s));
      }
      for (int r = 0; r < piece.rows; r += most) {
        AttentionTile tile{.first_row = first_row + r,
                           .rows = std::min(most, piece.rows - r),
                           .sequence = static_cast<int>(s),
                           .first_position = piece.first_position + r,
                           .first_span = spans_};
        if (most == 1) {
          spans_ += tile.first_position / kSpanTokens + 1;
          tiles_.push_back(tile);
        } else {
          prompts.push_back(tile);
        }
      }
      table_.insert(table_.end(), pages.begin(), pages.end());
      table_.resize((s + 1) * static_cast<std::size_t>(table_ld_), -1);
    }
    decode_tiles_ = static_cast<int>(tiles_.size());
    tiles_.insert(tiles_.end(), prompts.begin(), prompts.end());
    page_count_ = next_page;
    for (std::size_t s = 0; s < pieces.size(); ++s) {
      int first = 0;
      for (std::size_t t = 0; t < s; ++t) first += pieces[t].rows;
      sequences_.push_back({.first_row = first,
                            .rows = pieces[s].rows,
                            .first_position = pieces[s].first_position,
                            .pages = pages_[s]});
    }
  }

  void make_rope(int positions) {
    const int half = layout_.head_dim / 2;
    for (int p = 0; p < positions; ++p) {
      for (int j = 0; j < half; ++j) {
        const double angle = p * std::pow(10000.0, -2.0 * j / layout_.head_dim);
        cos_.push_back(static_cast<float>(std::cos(angle)));
        sin_.push_back(static_cast<float>(std::sin(angle)));
      }
    }
  }

  bf16 value() { return float_to_bf16(static_cast<float>(random_.uniform() * 4 - 2)); }

  /// All positions of all sequences go through the same kernels: first the earlier ones.
  void fill() {
    cache_ = std::make_unique<KvCache>(
        KvShape{.layers = 1, .kv_heads = layout_.kv_heads, .head_dim = layout_.head_dim}, kv_,
        page_count_);
    const std::size_t element = kv_ == KvType::kFp8 ? 1 : 2;
    const auto values =
        static_cast<std::size_t>(page_count_ * layout_.kv_heads * 2 * 64 * layout_.head_dim);
    data_ = DeviceArray<std::uint8_t>(values * element);
    scales_ = DeviceArray<float>(
        kv_ == KvType::kFp8 ? static_cast<std::size_t>(page_count_ * layout_.kv_heads * 2 * 64)
                            : 0);
    table_device_ = DeviceArray<int>(table_);
    cos_device_ = DeviceArray<float>(cos_);
    sin_device_ = DeviceArray<float>(sin_);
    for (std::size_t s = 0; s < sequences_.size(); ++s) {
      std::vector<int> earlier;
      for (int p = 0; p < sequences_[s].first_position; ++p) earlier.push_back(p);
      store(earlier, std::vector<int>(earlier.size(), static_cast<int>(s)));
    }
    rotated_ = store(positions_, sequence_);
  }

  /// Random q, k, v for these rows into both caches; returns the CPU's rotated rows.
  std::vector<bf16> store(const std::vector<int>& positions, const std::vector<int>& sequence) {
    std::vector<bf16> qkv(positions.size() * static_cast<std::size_t>(ld_));
    for (bf16& x : qkv) x = value();
    qkv_device_ = DeviceArray<bf16>(qkv);
    positions_device_ = DeviceArray<int>(positions);
    sequence_device_ = DeviceArray<int>(sequence);
    tiles_device_ = DeviceArray<AttentionTile>(tiles_);
    const int d = layout_.head_dim;
    args_ = {.q = qkv_device_.get(),
             .ldq = ld_,
             .heads = layout_.heads,
             .rows = {.rows = static_cast<int>(positions.size()),
                      .positions = positions_device_.get(),
                      .sequence = sequence_device_.get(),
                      .page_table = table_device_.get(),
                      .table_ld = table_ld_},
             .cache = {.data = data_.get(),
                       .scales = kv_ == KvType::kFp8 ? scales_.get() : nullptr,
                       .kv_heads = layout_.kv_heads,
                       .head_dim = d},
             .tiles = tiles_device_.get(),
             .decode_tiles = decode_tiles_,
             .prompt_tiles = static_cast<int>(tiles_.size()) - decode_tiles_,
             .most_spans = table_ld_ / kSpanChunks};
    rope_cache_cuda(nullptr, {.qkv = qkv_device_.get(),
                              .ld = ld_,
                              .heads = layout_.heads,
                              .rows = args_.rows,
                              .cache = args_.cache,
                              .cos = cos_device_.get(),
                              .sin = sin_device_.get()});
    const FlushSubnormals flush;
    for (std::size_t r = 0; r < positions.size(); ++r) {
      bf16* row = qkv.data() + r * static_cast<std::size_t>(ld_);
      const int position = positions[r];
      for (int h = 0; h < layout_.heads + layout_.kv_heads; ++h) {
        cpu_kernels().rope({.x = row + h * d,
                            .cos = cos_.data() + position * d / 2,
                            .sin = sin_.data() + position * d / 2,
                            .head_dim = d});
      }
      const auto& pages = pages_[static_cast<std::size_t>(sequence[r])];
      for (int h = 0; h < layout_.kv_heads; ++h) {
        cache_->store(0, pages[static_cast<std::size_t>(position / 64)], h, position % 64,
                      row + (layout_.heads + h) * d,
                      row + (layout_.heads + layout_.kv_heads + h) * d);
      }
    }
    return qkv;
  }

  Layout layout_;
  KvType kv_;
  int ld_;
  SplitMix64 random_;
  int table_ld_ = 0;
  int spans_ = 0;
  int decode_tiles_ = 0;
  std::int32_t page_count_ = 0;
  std::vector<int> positions_, sequence_, table_;
  std::vector<AttentionTile> tiles_;
  std::vector<std::vector<std::int32_t>> pages_;
  std::vector<SequenceRows> sequences_;
  std::vector<float> cos_, sin_;
  std::unique_ptr<KvCache> cache_;
  std::vector<bf16> rotated_;
  DeviceArray<std::uint8_t> data_{0};
  DeviceArray<float> scales_{0}, cos_device_{0}, sin_device_{0};
  DeviceArray<bf16> qkv_device_{0};
  DeviceArray<int> positions_device_{0}, sequence_device_{0}, table_device_{0};
  DeviceArray<AttentionTile> tiles_device_{0};
  PagedAttentionArgs args_;
};

// Odd ones, then those of 1B, 3B, 8B, 70B and 405B with fewer KV heads.
const Layout kLayouts[] = {{4, 4, 8},   {6, 2, 24},  {8, 2, 64},  {6, 2, 128},
                           {4, 1, 128}, {8, 1, 128}, {16, 1, 128}};

class AttentionCuda : public testing::TestWithParam<Layout> {};

TEST_P(AttentionCuda, ExactEqualsTheCpuBitForBit) {
  for (const KvType kv : {KvType::kBf16, KvType::kFp8}) {
    Step step(GetParam(), kv, {{0, 3}, {62, 4}, {127, 1}, {130, 1}, {40, 30}}, 4);
    step.expect_same_queries();
    EXPECT_EQ(step.on_device(attention_exact_cuda), step.on_cpu());
  }
}

/// Root of the mean square of the difference, over that of the values.
double relative_error(const std::vector<bf16>& a, const std::vector<bf16>& b) {
  double difference = 0;
  double size = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double x = static_cast<double>(bf16_to_float(a[i]));
    const double y = static_cast<double>(bf16_to_float(b[i]));
    difference += (x - y) * (x - y);
    size += y * y;
  }
  return std::sqrt(difference / size);
}

TEST_P(AttentionCuda, TensorCoresAgreeWithTheExactKernelWithinBf16Rounding) {
  const Layout& layout = GetParam();
  if (!attention_tensor_fits(layout.heads, layout.kv_heads, layout.head_dim)) return;
  for (const KvType kv : {KvType::kBf16, KvType::kFp8}) {
    const std::vector<Piece> pieces = {{0, 3}, {62, 4}, {130, 1}, {505, 20}};
    const int tile = std::max(1, 16 * layout.kv_heads / layout.heads) * 4;
    Step prompt(layout, kv, pieces, tile);
    const auto exact = prompt.on_device(attention_exact_cuda);
    const auto tensor = prompt.on_device(attention_tensor_cuda);
    EXPECT_LT(relative_error(tensor, exact), 3e-3);
    // One row a block, split over spans: the same bits as many rows a block.
    const Step decode(layout, kv, pieces, 1);
    EXPECT_EQ(decode.on_device(attention_tensor_cuda), tensor);
  }
}

TEST(AttentionCudaLong, SpansAreFoldedAlikeForPromptsAndSingleRows) {
  const Layout layout{8, 2, 64};
  const std::vector<Piece> pieces = {{1020, 6}, {1600, 1}};
  Step prompt(layout, KvType::kFp8, pieces, 16);
  const auto tensor = prompt.on_device(attention_tensor_cuda);
  EXPECT_LT(relative_error(tensor, prompt.on_device(attention_exact_cuda)), 3e-3);
  const Step decode(layout, KvType::kFp8, pieces, 1);
  EXPECT_EQ(decode.on_device(attention_tensor_cuda), tensor);
}

INSTANTIATE_TEST_SUITE_P(Layouts, AttentionCuda, testing::ValuesIn(kLayouts));

}  // namespace
}  // namespace assay::engine
