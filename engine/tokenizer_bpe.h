// Byte-pair merging and the tables it needs.
// Source: Sennrich et al. 2016, "Neural Machine Translation of Rare Words with Subword Units".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/request.h"

namespace assay::engine {

/// Which pairs of neighbouring tokens join, in which order, to which token.
class MergeTable {
 public:
  struct Merge {
    std::int32_t rank = 0;  // lower joins first
    TokenId id = 0;         // of the joined token
  };
  /// `count` merges at most will be added.
  explicit MergeTable(std::size_t count);
  /// False, without effect, when the pair is there already.
  bool add(TokenId left, TokenId right, Merge merge);
  /// nullptr when the pair does not join.
  [[nodiscard]] const Merge* find(TokenId left, TokenId right) const;

 private:
  struct Slot {
    std::uint64_t key;
    Merge merge;
  };
  [[nodiscard]] std::size_t slot_of(std::uint64_t key) const;
  std::vector<Slot> slots_;  // open addressing, at most half full
  std::uint64_t mask_;
};

/// Token texts to ids.
class TextIndex {
 public:
  /// `texts[id]` is the text of token `id`; empty texts are left out. Keeps views: `texts` must
  /// outlive the index. Of equal texts the lowest id is found.
  explicit TextIndex(const std::vector<std::string>& texts);
  /// The id, or -1.
  [[nodiscard]] TokenId find(std::string_view text) const;

 private:
  struct Slot {
    std::uint32_t hash = 0;
    TokenId id = -1;
  };
  const std::vector<std::string>* texts_;
  std::vector<Slot> slots_;
  std::size_t mask_;
};

/// Joins neighbours in `ids` again and again, the pair of the lowest rank first, of equal ranks the
/// leftmost, until none joins. Time n log n in the number of ids.
void merge_pairs(const MergeTable& merges, std::vector<TokenId>& ids);

}  // namespace assay::engine
