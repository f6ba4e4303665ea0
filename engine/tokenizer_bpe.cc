#include "engine/tokenizer_bpe.h"

#include <algorithm>
#include <bit>
#include <functional>
#include <queue>
#include <tuple>

#include "base/check.h"

namespace assay::engine {
namespace {

constexpr std::uint64_t kEmpty = ~std::uint64_t{0};
constexpr std::size_t kSmallWord = 24;  // up to here a scan beats the queue

std::uint64_t pair_key(TokenId left, TokenId right) {
  return (static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32) |
         static_cast<std::uint32_t>(right);
}

/// Mixes all bits, as in SplitMix64.
std::uint64_t mixed(std::uint64_t key) {
  key = (key ^ (key >> 30)) * 0xbf58476d1ce4e5b9ULL;
  key = (key ^ (key >> 27)) * 0x94d049bb133111ebULL;
  return key ^ (key >> 31);
}

/// The definition: look at all pairs, join the best, repeat. Quadratic, for short words only.
void merge_by_scanning(const MergeTable& merges, std::vector<TokenId>& ids) {
  for (;;) {
    const MergeTable::Merge* best = nullptr;
    std::size_t where = 0;
    for (std::size_t i = 0; i + 1 < ids.size(); ++i) {
      const MergeTable::Merge* merge = merges.find(ids[i], ids[i + 1]);
      if (merge != nullptr && (best == nullptr || merge->rank < best->rank)) {
        best = merge;
        where = i;
      }
    }
    if (best == nullptr) return;
    ids[where] = best->id;
    ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(where) + 1);
  }
}

/// A linked list of the remaining tokens and a queue of the pairs that may join.
class QueueMerger {
 public:
  QueueMerger(const MergeTable& merges, std::vector<TokenId>& ids) : merges_(merges), ids_(ids) {
    const auto n = static_cast<std::int32_t>(ids.size());
    for (std::int32_t i = 0; i < n; ++i) {
      next_.push_back(i + 1 < n ? i + 1 : -1);
      previous_.push_back(i - 1);
    }
  }

  void run() {
    for (std::int32_t i = 0; next_[at(i)] >= 0; ++i) propose(i);
    while (!queue_.empty()) {
      const auto [rank, left, left_id, right_id] = queue_.top();
      queue_.pop();
      const std::int32_t right = next_[at(left)];
      // Outdated proposals stay in the queue; a joined-away token has id -1.
      if (ids_[at(left)] != left_id || right < 0 || ids_[at(right)] != right_id) continue;
      join(left, right);
    }
    std::erase(ids_, -1);
  }

 private:
  using Proposal = std::tuple<std::int32_t, std::int32_t, TokenId, TokenId>;
  static std::size_t at(std::int32_t index) { return static_cast<std::size_t>(index); }

  void propose(std::int32_t left) {
    const std::int32_t right = next_[at(left)];
    if (right < 0) return;
    const MergeTable::Merge* merge = merges_.find(ids_[at(left)], ids_[at(right)]);
    if (merge != nullptr) queue_.emplace(merge->rank, left, ids_[at(left)], ids_[at(right)]);
  }

  void join(std::int32_t left, std::int32_t right) {
    ids_[at(left)] = merges_.find(ids_[at(left)], ids_[at(right)])->id;
    ids_[at(right)] = -1;
    next_[at(left)] = next_[at(right)];
    if (next_[at(left)] >= 0) previous_[at(next_[at(left)])] = left;
    propose(left);
    if (previous_[at(left)] >= 0) propose(previous_[at(left)]);
  }

  const MergeTable& merges_;
  std::vector<TokenId>& ids_;
  std::vector<std::int32_t> next_;
  std::vector<std::int32_t> previous_;
  std::priority_queue<Proposal, std::vector<Proposal>, std::greater<>> queue_;
};

}  // namespace

MergeTable::MergeTable(std::size_t count)
    : slots_(std::bit_ceil(2 * count + 2), Slot{kEmpty, {}}), mask_(slots_.size() - 1) {}

std::size_t MergeTable::slot_of(std::uint64_t key) const {
  std::uint64_t at = mixed(key) & mask_;
  while (slots_[at].key != key && slots_[at].key != kEmpty) at = (at + 1) & mask_;
  return at;
}

bool MergeTable::add(TokenId left, TokenId right, Merge merge) {
  Slot& slot = slots_[slot_of(pair_key(left, right))];
  if (slot.key != kEmpty) return false;
  slot = {pair_key(left, right), merge};
  return true;
}

const MergeTable::Merge* MergeTable::find(TokenId left, TokenId right) const {
  const Slot& slot = slots_[slot_of(pair_key(left, right))];
  return slot.key == kEmpty ? nullptr : &slot.merge;
}

TextIndex::TextIndex(const std::vector<std::string>& texts)
    : texts_(&texts), slots_(std::bit_ceil(2 * texts.size() + 2)), mask_(slots_.size() - 1) {
  for (std::size_t id = 0; id < texts.size(); ++id) {
    if (texts[id].empty()) continue;
    const std::size_t hash = std::hash<std::string_view>{}(texts[id]);
    std::size_t at = hash & mask_;
    while (slots_[at].id >= 0 && texts[static_cast<std::size_t>(slots_[at].id)] != texts[id]) {
      at = (at + 1) & mask_;
    }
    if (slots_[at].id < 0) {
      slots_[at] = {static_cast<std::uint32_t>(hash >> 32), static_cast<TokenId>(id)};
    }
  }
}

TokenId TextIndex::find(std::string_view text) const {
  const std::size_t hash = std::hash<std::string_view>{}(text);
  for (std::size_t at = hash & mask_; slots_[at].id >= 0; at = (at + 1) & mask_) {
    if (slots_[at].hash == static_cast<std::uint32_t>(hash >> 32) &&
        (*texts_)[static_cast<std::size_t>(slots_[at].id)] == text) {
      return slots_[at].id;
    }
  }
  return -1;
}

void merge_pairs(const MergeTable& merges, std::vector<TokenId>& ids) {
  if (ids.size() <= kSmallWord) {
    merge_by_scanning(merges, ids);
  } else {
    QueueMerger(merges, ids).run();
  }
}

}  // namespace assay::engine
