// What the report shows, as values: made from a store (page_data.h), turned into text by
// render_html.h and page_text.h. Shares and differences lie in [-1, 1] until they are printed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/estimate.h"
#include "reports/numerics.h"

namespace assay::reports {

/// One number with its 95 % interval.
struct PageValue {
  double value = 0;
  double low = 0;
  double high = 0;
  std::int64_t items = 0;     // it was computed from
  std::int64_t unscored = 0;  // responses without a verdict, left out
};

/// Paired difference to the reference run, over the items that both have.
struct PageDifference {
  double value = 0;
  double low = 0;
  double high = 0;
  double p = 1;           // two-sided
  double p_adjusted = 1;  // Holm over the headline metrics of the two runs and their mean
  double standard_error = 0;
  double detectable = 0;  // smallest true difference found with a power of 80 %
  std::int64_t items = 0;
  std::int64_t responses = 0;
  std::int64_t identical = 0;  // of the responses: equal tokens or log-probabilities
  std::int64_t right_to_wrong = 0;
  std::int64_t wrong_to_right = 0;
  std::string method;
};

enum class Change { kNone, kWorse, kBetter };
/// What is established at the level of 5 %, after the correction for several tasks.
inline Change change_of(const PageDifference& difference) {
  if (difference.p_adjusted >= 0.05 || difference.value == 0) return Change::kNone;
  return difference.value < 0 ? Change::kWorse : Change::kBetter;
}

/// One metric of one task: a column of the board. Vectors have one entry a run.
struct PageMetric {
  std::string task;                              // "gsm8k@assay"
  std::string metric;                            // "accuracy"
  bool headline = false;                         // first metric of its task
  std::vector<std::optional<PageValue>> values;  // nothing where the run lacks the task
  std::vector<std::optional<PageDifference>> differences;
  std::vector<std::string> incomparable;  // why there is no difference; "" otherwise
};

/// One group (subject, language) of a task's first plain mean.
struct PageGroup {
  std::string name;
  std::vector<std::optional<PageValue>> values;       // one a run
  std::vector<std::optional<PageValue>> differences;  // paired, to the reference
};
struct PageGroups {
  std::string task;
  std::string metric;
  std::vector<PageGroup> groups;
};

/// How the responses of one run to one task look, whatever their verdicts.
struct PageBehaviour {
  std::string task;
  std::size_t run = 0;
  std::int64_t responses = 0;
  double mean_output_tokens = 0;
  std::int64_t truncated = 0;   // stopped at the limit of tokens
  std::int64_t unanswered = 0;  // no answer was found in them
  std::int64_t unscored = 0;
  std::optional<double> identical;  // share with the reference's tokens
};

/// Shares at which the distributions of PageSpread are read.
inline constexpr double kSpreadShares[] = {0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99};
/// A distribution over the responses of one run.
struct PageSpread {
  std::size_t run = 0;
  std::int64_t count = 0;
  std::vector<double> quantiles;  // at kSpreadShares: values that happened
};

/// Stored measurements of `assay bench` of one run.
struct PageBench {
  std::size_t run = 0;
  std::string name;
  std::string metric;            // unit last
  std::int64_t repetitions = 0;  // valid ones
  std::int64_t starts = 0;
  double mean = 0;
  std::optional<Interval> interval;  // 95 %, over starts, or over repetitions of a single one
  std::int64_t invalid = 0;          // repetitions left out
};

/// The same model, setting, suite and task at several times.
struct PageTrendPoint {
  std::string run;
  std::string commit;
  std::string started_at;
  PageValue value;
};
struct PageTrend {
  std::string name;  // model and setting
  std::string task;
  std::string metric;
  std::vector<PageTrendPoint> points;  // oldest first, at least two
};

/// A score that somebody published.
struct PublishedScore {
  std::string model;
  std::string setting;
  std::string task;    // "gsm8k"
  std::string metric;  // as its source names it
  double value = 0;    // share
  std::string protocol;
  std::string source;
};

/// One run's response to one item.
struct PageResponse {
  std::size_t run = 0;
  std::string verdict;  // "correct", "incorrect", "unscored"
  std::string text;
  std::string answer;
  std::string reason;
  std::string finish_reason;
  std::int64_t output_tokens = 0;
  std::int64_t first_difference = -1;  // number of the first token unlike the reference's, from 0
};
struct PageItem {
  std::string task;
  std::string key;
  std::string group;
  std::string target;
  std::string prompt;
  std::int64_t repeat = 0;
  bool flip = false;  // some run's verdict differs from the reference's
  std::vector<PageResponse> responses;
};

using PageFacts = std::vector<std::pair<std::string, std::string>>;  // label, value

struct PageRun {
  std::string id;
  std::string label;
  std::string model;
  std::string setting;
  std::string status;
  std::string started_at;
  std::string commit;
  /// Generated, over the time the engine was busy; or, where the store has an offline benchmark of
  /// the same model, setting and machine, that one's.
  std::optional<double> tokens_per_second;
  std::string speed_source;  // the run of that benchmark; "": this run's own responses
  std::optional<double> peak_memory_bytes;
  std::optional<double> energy_j;
  std::optional<double> mean;  // of the headline metrics of the tasks that all runs have
  std::optional<PageDifference> mean_change;  // of it; for fewer than two such tasks nothing
  PageFacts provenance;
  std::vector<std::pair<std::string, PageFacts>> tasks;  // label, how its figures came about
};

struct Page {
  std::string title;
  std::vector<std::string> notes;  // what a reader must know before the numbers
  std::vector<PageRun> runs;
  std::size_t reference = 0;  // index of the run that differences refer to
  std::vector<PageMetric> metrics;
  std::vector<std::string> common_tasks;  // that PageRun::mean is over
  std::vector<PageGroups> groups;
  std::vector<PageBehaviour> behaviours;
  std::vector<PageSpread> first_token_ms;
  std::vector<PageSpread> total_ms;
  std::vector<PageSpread> rates;  // output tokens a second of one response
  std::vector<PageBench> benches;
  std::vector<NumericsRow> numerics;
  std::vector<PageTrend> trends;
  std::vector<PublishedScore> published;
  std::vector<PageItem> items;
  std::int64_t responses_stored = 0;  // of the runs shown
  bool withheld = false;              // texts of restricted data sets are left out
};

}  // namespace assay::reports
