#include "engine/page_pool.h"

#include "base/check.h"
#include "base/digest.h"

namespace assay::engine {

PagePool::PagePool(std::int64_t pages)
    : table_(static_cast<std::size_t>(pages)), available_(pages) {
  for (std::int64_t page = pages; page-- > 0;) free_.push_back(static_cast<std::int32_t>(page));
}

PagePool::PageKey PagePool::page_key(const PageKey& parent, const TokenId* ids) {
  Sha256 digest;
  digest.update_field(parent);
  digest.update_field({reinterpret_cast<const char*>(ids), kPageTokens * sizeof(TokenId)});
  const auto bytes = digest.bytes();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::optional<std::int32_t> PagePool::share(const PageKey& key) {
  const auto found = shared_.find(key);
  if (found == shared_.end()) return std::nullopt;
  Page& page = table_[static_cast<std::size_t>(found->second)];
  if (page.references++ == 0) {
    unused_.erase(page.released);
    --available_;
  }
  return found->second;
}

std::optional<std::int32_t> PagePool::allocate() {
  if (available_ == 0) return std::nullopt;
  std::int32_t number = 0;
  if (!free_.empty()) {
    number = free_.back();
    free_.pop_back();
  } else {
    number = unused_.begin()->second;
    unused_.erase(unused_.begin());
    Page& old = table_[static_cast<std::size_t>(number)];
    shared_.erase(old.key);
    old.key.clear();
  }
  table_[static_cast<std::size_t>(number)].references = 1;
  --available_;
  return number;
}

void PagePool::publish(std::int32_t number, const PageKey& key) {
  if (shared_.emplace(key, number).second) table_[static_cast<std::size_t>(number)].key = key;
}

void PagePool::release(std::int32_t number) {
  Page& page = table_[static_cast<std::size_t>(number)];
  ASSAY_CHECK(page.references > 0, "a page was released twice");
  if (--page.references > 0) return;
  ++available_;
  if (page.key.empty()) {
    free_.push_back(number);
    return;
  }
  page.released = ++clock_;
  unused_.emplace(page.released, number);
}

}  // namespace assay::engine
