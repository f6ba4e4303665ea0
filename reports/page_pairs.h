// Paired differences of tasks that are loaded already: the page compares many runs with one, and
// reading the reference again for each would cost most of its time. compare.h is the plain form,
// on a store; a test holds the two equal.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "reports/mean_change.h"
#include "reports/page.h"
#include "reports/page_load.h"

namespace assay::reports {

struct PagePair {
  std::string incomparable;             // why the tasks cannot be paired; "" when they can
  std::vector<PageDifference> metrics;  // as in the task; p_adjusted is p
  TaskChange change;                    // of the headline metric
  /// The first plain mean, for each group of the reference; nothing where a group has no item.
  std::vector<std::optional<PageValue>> groups;
};

/// `other` minus `reference` on the items that have a verdict in both.
PagePair pair_tasks(const store::Store& store, const LoadedTask& reference,
                    const LoadedTask& other);

/// The change of the mean of tasks; its counts are left out. Nothing for fewer than two.
std::optional<PageDifference> mean_difference(std::span<const TaskChange> tasks);

/// Index of the first metric that is a plain mean of items; nothing without one.
std::optional<std::size_t> plain_metric(const store::RunTaskRecord& task);

/// Mean of one group with its interval. `group` is a number of the task's frame.
PageValue group_value(const LoadedTask& task, std::size_t metric, std::uint32_t group);

}  // namespace assay::reports
