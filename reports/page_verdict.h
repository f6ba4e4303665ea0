// What a page answers in ten seconds, as values: which run scores best, which is the fastest
// without an established loss, and what changed in each.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "reports/page.h"

namespace assay::reports {

/// Whether this task is one of those that Page::common_tasks names.
bool is_common(const Page& page, const std::string& task);

/// One run against the reference, over the headline metrics and their mean.
struct RunVerdict {
  std::size_t run = 0;
  std::int64_t tasks = 0;                // compared
  const PageDifference* mean = nullptr;  // of the common tasks, where the page has it
  std::vector<const PageMetric*> worse;
  std::vector<const PageMetric*> better;
  std::vector<const PageMetric*> incomparable;
  double detectable = 0;  // the largest over the tasks: smaller losses may be hidden in one
  double mean_difference = 0;
  std::int64_t responses = 0;
  std::int64_t identical = 0;

  /// Established on some task, or on their mean.
  bool is_worse() const;
  bool is_better() const;
};
/// One for each run but the reference. Pointers into `page`.
std::vector<RunVerdict> verdicts_of(const Page& page);

/// The run with the highest mean of the common tasks, or of the only task; nothing without one.
std::optional<std::size_t> best_run(const Page& page);
/// What runs are ranked by: PageRun::mean, or the value of the only common task.
std::optional<double> rank_value(const Page& page, std::size_t run);
/// The fastest run that is not worse than the reference in any task; the reference itself counts.
/// Of runs that measured speed alone, the fastest.
std::optional<std::size_t> fastest_without_loss(const Page& page);

/// "gsm8k@assay -2.1 points [-3.0, -1.2], 31 right to wrong, 12 wrong to right, Holm p 0.003".
std::string difference_words(const std::string& name, const PageDifference& difference);
/// "mean of 7 tasks", or the only common task.
std::string mean_name(const Page& page);
/// The verdict on one run as a sentence.
std::string verdict_words(const Page& page, const RunVerdict& verdict);
/// The three answers of the page's head, each a title and a sentence or two.
struct PageAnswer {
  std::string question;
  std::string answer;
  std::string detail;
};
std::vector<PageAnswer> answers_of(const Page& page);

}  // namespace assay::reports
