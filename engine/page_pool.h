// Which pages of the key/value cache are free, in use, or kept because a later prompt may share
// them. Bookkeeping alone: numbers, references and content keys. One pool serves all layers, heads
// and ranks, whatever device holds the pages.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/request.h"

namespace assay::engine {

/// Tokens of one page; a page holds all layers and heads of these tokens.
inline constexpr std::int64_t kPageTokens = 64;

/// Used by one thread, the scheduler's.
class PagePool {
 public:
  explicit PagePool(std::int64_t pages);

  /// Key of a page: everything that decides its content, as a digest chain over token ids.
  using PageKey = std::string;
  [[nodiscard]] static PageKey page_key(const PageKey& parent, const TokenId* ids);

  /// A page with that content, referenced once more; nothing when there is none.
  std::optional<std::int32_t> share(const PageKey& key);
  /// A page to write into, referenced once. Forgets the longest unused shared page when none is
  /// free. Nothing when all are in use.
  std::optional<std::int32_t> allocate();
  /// From now on `share` finds this full page.
  void publish(std::int32_t page, const PageKey& key);
  void release(std::int32_t page);
  [[nodiscard]] std::int64_t available() const { return available_; }
  [[nodiscard]] std::int64_t pages() const { return static_cast<std::int64_t>(table_.size()); }

 private:
  struct Page {
    std::int32_t references = 0;
    std::int64_t released = 0;  // clock of the last release
    PageKey key;                // "" while it is not shared
  };
  std::vector<Page> table_;
  std::vector<std::int32_t> free_;
  std::map<PageKey, std::int32_t> shared_;
  std::map<std::int64_t, std::int32_t> unused_;  // shared pages without references, by release time
  std::int64_t available_ = 0;
  std::int64_t clock_ = 0;
};

}  // namespace assay::engine
