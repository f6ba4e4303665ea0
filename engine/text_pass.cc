#include "engine/text_pass.h"

#include <algorithm>
#include <numeric>

#include "engine/page_pool.h"

namespace assay::engine {

std::int64_t window_pages(std::int64_t window) { return (window + kPageTokens - 1) / kPageTokens; }

void for_windows(std::span<const TokenId> ids, std::int64_t window, bool logits,
                 const std::function<void(const Batch& batch, std::size_t first)>& run) {
  std::vector<std::int32_t> pages(static_cast<std::size_t>(window_pages(window)));
  std::iota(pages.begin(), pages.end(), 0);
  const auto size = static_cast<std::size_t>(window);
  for (std::size_t first = 0; first < ids.size(); first += size) {
    const std::span<const TokenId> part = ids.subspan(first, std::min(size, ids.size() - first));
    Batch batch;
    batch.ids.assign(part.begin(), part.end());
    batch.positions.resize(part.size());
    std::iota(batch.positions.begin(), batch.positions.end(), 0);
    batch.sequences.push_back({.first_row = 0,
                               .rows = static_cast<std::int64_t>(part.size()),
                               .first_position = 0,
                               .pages = pages});
    for (std::size_t row = 0; logits && row + 1 < part.size(); ++row) {
      batch.queries.push_back({.row = static_cast<std::int64_t>(row),
                               .position = static_cast<std::int64_t>(row),
                               .targets = part.subspan(row + 1, 1)});
    }
    run(batch, first);
  }
}

}  // namespace assay::engine
