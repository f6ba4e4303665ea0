// What the HTML report shows, as values: made from a store (page_data.h), turned into text by
// render_html.h. Percentages are shares in [0, 1] until they are printed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace assay::reports {

/// One number with its 95 % interval.
struct PageValue {
  double value = 0;
  double low = 0;
  double high = 0;
  std::int64_t items = 0;     // it was computed from
  std::int64_t unscored = 0;  // responses without a verdict, left out
};

/// One metric of one task: a column of the board.
struct PageMetric {
  std::string task;       // "gsm8k@assay"
  std::string metric;     // "accuracy"
  bool headline = false;  // first metric of its task
  std::vector<std::optional<PageValue>>
      values;  // one per run; nothing where the run lacks the task
  /// Difference to the reference run, paired by item; nothing for the reference and where not
  /// comparable.
  std::vector<std::optional<PageValue>> differences;
};

/// Headline metric of one group (subject, language) of a task.
struct PageGroup {
  std::string name;
  std::vector<std::optional<PageValue>> values;  // one per run
};

struct PageGroups {
  std::string task;
  std::string metric;
  std::vector<PageGroup> groups;
};

/// One response, for reading.
struct PageSample {
  std::string item;
  std::string task;
  std::size_t run = 0;
  std::string verdict;  // "correct", "incorrect", "unscored"
  std::string prompt;
  std::string response;
  std::string answer;
  std::string target;
  std::string reason;
};

struct PageRun {
  std::string id;
  std::string model;
  std::string setting;
  std::string status;
  std::optional<double> tokens_per_second;  // generated, over the time the engine was busy
  std::vector<std::pair<std::string, std::string>> provenance;  // label, value
};

struct Page {
  std::string title;
  std::vector<std::string>
      notes;  // what a reader must know before the numbers: small suites, unpublished data
  std::vector<PageRun> runs;
  std::size_t reference = 0;  // index of the run that differences refer to
  std::vector<PageMetric> metrics;
  std::vector<PageGroups> groups;
  std::vector<PageSample> samples;
  std::int64_t samples_left_out = 0;  // responses that the page does not show
};

}  // namespace assay::reports
