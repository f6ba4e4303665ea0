#include "evals/gpqa/order.h"

#include <algorithm>
#include <vector>

#include "evals/extract/python_random.h"

namespace assay::evals::gpqa {
namespace {

/// The order that the `row`-th shuffle of one generator gives.
Order shuffled(std::uint64_t seed, std::int64_t row, const std::vector<std::size_t>& start) {
  PythonRandom random(seed);
  std::vector<std::size_t> items;
  for (std::int64_t i = 0; i <= row; ++i) {
    items = start;
    random.shuffle(items);
  }
  return {items[0], items[1], items[2], items[3]};
}

}  // namespace

Order shown_order(OrderRule rule, const Place& place) {
  switch (rule) {
    case OrderRule::kSimpleEvals: {
      PythonRandom random(0);
      const std::int64_t before = place.repeat * place.rows + place.row;
      for (std::int64_t i = 0; i < before; ++i) (void)random.sample(4, 4);
      const std::vector<std::size_t> drawn = random.sample(4, 4);
      return {drawn[0], drawn[1], drawn[2], drawn[3]};
    }
    case OrderRule::kLmEval:
      return shuffled(0, place.row, {1, 2, 3, 0});
    case OrderRule::kHelm:
      return shuffled(42, place.row, {0, 1, 2, 3});
    case OrderRule::kOpenCompass:
      break;
  }
  Order order{};
  for (std::size_t i = 0; i < order.size(); ++i) {
    order[i] = (i + static_cast<std::size_t>(place.row)) % order.size();
  }
  return order;
}

std::size_t correct_position(const Order& order) {
  return static_cast<std::size_t>(std::ranges::find(order, std::size_t{0}) - order.begin());
}

}  // namespace assay::evals::gpqa
