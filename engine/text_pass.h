// Runs a text through a model in windows, without a scheduler: for calibration and numeric
// comparison.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "engine/executor.h"

namespace assay::engine {

/// Calls run(batch, first) for consecutive windows of `ids`, each a sequence of its own from
/// position 0 on; `first` is the index of its first token. With `logits` every row but the last of
/// a window is a query for the log-probability of the token that follows it.
/// REQUIRES: pages of kPageTokens for one window.
void for_windows(std::span<const TokenId> ids, std::int64_t window, bool logits,
                 const std::function<void(const Batch& batch, std::size_t first)>& run);

/// Pages that a window needs.
std::int64_t window_pages(std::int64_t window);

}  // namespace assay::engine
