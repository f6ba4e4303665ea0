// In which order the four answers of a GPQA item are shown: part of each protocol.
// Sources: EVAL rules of simple-evals ee3b0318, lm-evaluation-harness 4e7e0d47, HELM 63754d05 and
// OpenCompass a5acc4bb. Pure; any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace assay::evals::gpqa {

enum class OrderRule {
  kSimpleEvals,  // Random(0): sample(range(4), 4) for each row of the list repeated
  kLmEval,       // incorrect answers, then the correct one, shuffled by one Random(0)
  kHelm,         // correct, then incorrect answers, shuffled by one Random(42)
  kOpenCompass,  // rotated by the row number
};

struct Place {
  std::int64_t row = 0;     // within the split
  std::int64_t rows = 0;    // of the split
  std::int64_t repeat = 0;  // counts for kSimpleEvals; the others show one order
};

/// At each position the answer shown there: 0 is the correct one, 1 to 3 the incorrect ones.
using Order = std::array<std::size_t, 4>;

/// REQUIRES: 0 <= row < rows, repeat >= 0. Takes time linear in the rows before.
Order shown_order(OrderRule rule, const Place& place);
/// Position of the correct answer.
std::size_t correct_position(const Order& order);

}  // namespace assay::evals::gpqa
