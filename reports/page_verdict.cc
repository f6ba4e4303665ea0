#include "reports/page_verdict.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "reports/page_format.h"

namespace assay::reports {
namespace {

std::string task_names(const std::vector<const PageMetric*>& metrics) {
  std::vector<std::string> names;
  for (const PageMetric* metric : metrics) names.push_back(metric->task);
  return join(names, ", ");
}

/// No run has a task: nothing could be lost.
bool speed_alone(const Page& page) { return page.metrics.empty(); }

PageAnswer accuracy_answer(const Page& page, const std::vector<RunVerdict>& verdicts) {
  PageAnswer out{.question = "Which scores best?"};
  const auto best = best_run(page);
  if (!best) {
    out.answer = speed_alone(page) ? "Not measured" : "Not comparable";
    out.detail = speed_alone(page) ? "The runs have no task: they measured speed alone."
                                      : "The runs have no task in common that can be compared.";
    return out;
  }
  out.answer = short_run_name(page, *best);
  out.detail = fmt::format("{} % ({}).", percent(*rank_value(page, *best)), mean_name(page));
  std::int64_t even = 0;
  for (const RunVerdict& verdict : verdicts) {
    if (verdict.run == *best && !verdict.is_better() && verdict.tasks > 0) {
      out.detail += fmt::format(" Its lead over {} is not established.",
                                short_run_name(page, page.reference));
    }
    even += !verdict.is_worse() && !verdict.is_better() && verdict.tasks > 0 ? 1 : 0;
  }
  if (verdicts.empty()) return out;
  if (even == std::ssize(verdicts)) {
    out.detail += " No run differs from the reference by more than chance explains.";
  } else if (even > 0) {
    out.detail += fmt::format(" {} of {} cannot be told from the reference.", even,
                              counted(std::ssize(verdicts), "other run"));
  }
  return out;
}

PageAnswer speed_answer(const Page& page, const std::vector<RunVerdict>& verdicts) {
  PageAnswer out{.question = speed_alone(page) ? "Which is fastest?"
                                                  : "Which is fastest without a loss?"};
  const auto fastest = fastest_without_loss(page);
  const auto& reference = page.runs[page.reference];
  if (!fastest || !reference.tokens_per_second) {
    out.answer = "Not measured";
    out.detail = "The store holds no speed for these runs.";
    return out;
  }
  const PageRun& run = page.runs[*fastest];
  out.answer = short_run_name(page, *fastest);
  out.detail = short_number(*run.tokens_per_second) + " tokens/s";
  if (*fastest == page.reference) {
    out.detail += speed_alone(page) ? "." : ": no faster run is free of an established loss.";
    return out;
  }
  out.detail +=
      fmt::format(", {:.2f}\u00D7 {}.", *run.tokens_per_second / *reference.tokens_per_second,
                  short_run_name(page, page.reference));
  for (const RunVerdict& verdict : verdicts) {
    if (verdict.run != *fastest || verdict.tasks == 0) continue;
    out.detail += fmt::format(
        " No established loss on {}; a loss below {} points could hide in one{}.",
        counted(verdict.tasks, "task"), percent(verdict.detectable),
        verdict.mean == nullptr
            ? ""
            : fmt::format(", one below {} in their mean", percent(verdict.mean->detectable)));
  }
  return out;
}

PageAnswer change_answer(const Page& page, const std::vector<RunVerdict>& verdicts) {
  PageAnswer out{.question = "What changed?"};
  std::vector<std::string> worse;
  std::int64_t compared = 0;
  for (const RunVerdict& verdict : verdicts) {
    compared += verdict.tasks > 0 ? 1 : 0;
    if (verdict.is_worse()) worse.push_back(short_run_name(page, verdict.run));
  }
  if (compared == 0) {
    out.answer = "Nothing to compare";
    out.detail =
        verdicts.empty() ? "The page shows one run." : "No run can be paired with the reference.";
    return out;
  }
  if (worse.empty()) {
    out.answer = "No established loss";
    out.detail = fmt::format(
        "None of {} is worse than {} on any task{}, after correction for "
        "several tests.",
        counted(compared, "run"), short_run_name(page, page.reference),
        page.common_tasks.size() > 1 ? " or on average" : "");
    return out;
  }
  out.answer = fmt::format("{} of {} worse", worse.size(), counted(compared, "run"));
  const std::size_t shown = std::min<std::size_t>(worse.size(), 4);
  out.detail =
      join(std::span<const std::string>(worse.data(), shown), ", ") +
      (worse.size() > shown ? fmt::format(" and {} more", worse.size() - shown) : "") +
      fmt::format(": worse than {} on at least one task{}.", short_run_name(page, page.reference),
                  page.common_tasks.size() > 1 ? " or on average" : "");
  return out;
}

}  // namespace

bool is_common(const Page& page, const std::string& task) {
  return std::find(page.common_tasks.begin(), page.common_tasks.end(), task) !=
         page.common_tasks.end();
}

bool RunVerdict::is_worse() const {
  return !worse.empty() || (mean != nullptr && change_of(*mean) == Change::kWorse);
}

bool RunVerdict::is_better() const {
  return !better.empty() || (mean != nullptr && change_of(*mean) == Change::kBetter);
}

std::string mean_name(const Page& page) {
  return page.common_tasks.size() == 1 ? page.common_tasks.front()
                                       : fmt::format("mean of {} tasks", page.common_tasks.size());
}

std::vector<RunVerdict> verdicts_of(const Page& page) {
  std::vector<RunVerdict> out;
  for (std::size_t run = 0; run < page.runs.size(); ++run) {
    if (run == page.reference) continue;
    RunVerdict verdict{.run = run};
    if (page.runs[run].mean_change) verdict.mean = &*page.runs[run].mean_change;
    double sum = 0;
    for (const PageMetric& metric : page.metrics) {
      if (!metric.headline) continue;
      if (!metric.incomparable[run].empty()) verdict.incomparable.push_back(&metric);
      if (!metric.differences[run]) continue;
      const PageDifference& d = *metric.differences[run];
      ++verdict.tasks;
      sum += d.value;
      verdict.detectable = std::max(verdict.detectable, d.detectable);
      verdict.responses += d.responses;
      verdict.identical += d.identical;
      if (change_of(d) == Change::kWorse) verdict.worse.push_back(&metric);
      if (change_of(d) == Change::kBetter) verdict.better.push_back(&metric);
    }
    if (verdict.tasks > 0) verdict.mean_difference = sum / static_cast<double>(verdict.tasks);
    out.push_back(std::move(verdict));
  }
  return out;
}

std::optional<double> rank_value(const Page& page, std::size_t run) {
  if (page.common_tasks.size() > 1) return page.runs[run].mean;
  for (const PageMetric& metric : page.metrics) {
    if (metric.headline && is_common(page, metric.task)) return metric.values[run]->value;
  }
  return std::nullopt;
}

std::optional<std::size_t> best_run(const Page& page) {
  std::optional<std::size_t> best;
  for (std::size_t run = 0; run < page.runs.size(); ++run) {
    const auto value = rank_value(page, run);
    if (value && (!best || *value > *rank_value(page, *best))) best = run;
  }
  return best;
}

std::optional<std::size_t> fastest_without_loss(const Page& page) {
  std::vector<bool> sound(page.runs.size(), true);
  for (const RunVerdict& verdict : verdicts_of(page)) {
    sound[verdict.run] = speed_alone(page) || (verdict.tasks > 0 && !verdict.is_worse() &&
                                               verdict.incomparable.empty());
  }
  std::optional<std::size_t> out;
  for (std::size_t run = 0; run < page.runs.size(); ++run) {
    const auto& speed = page.runs[run].tokens_per_second;
    if (sound[run] && speed && (!out || *speed > *page.runs[*out].tokens_per_second)) out = run;
  }
  return out;
}

std::string difference_words(const std::string& name, const PageDifference& d) {
  return fmt::format("{} {} points {}, {} right to wrong, {} wrong to right, Holm p {}", name,
                     points(d.value), points_range(d.low, d.high), count_text(d.right_to_wrong),
                     count_text(d.wrong_to_right), p_text(d.p_adjusted));
}

std::string verdict_words(const Page& page, const RunVerdict& verdict) {
  if (verdict.tasks == 0) {
    return verdict.incomparable.empty()
               ? "has no task that the reference has"
               : "cannot be compared: " + verdict.incomparable[0]->incomparable[verdict.run];
  }
  std::string out;
  if (verdict.mean != nullptr && change_of(*verdict.mean) != Change::kNone) {
    out = difference_words(mean_name(page), *verdict.mean);
  }
  for (const auto* list : {&verdict.worse, &verdict.better}) {
    for (const PageMetric* metric : *list) {
      out += (out.empty() ? "" : "; ") +
             difference_words(metric->task, *metric->differences[verdict.run]);
    }
  }
  if (out.empty()) {
    const double same = verdict.responses > 0 ? static_cast<double>(verdict.identical) /
                                                    static_cast<double>(verdict.responses)
                                              : 0;
    const std::string range =
        verdict.mean == nullptr ? "" : " " + points_range(verdict.mean->low, verdict.mean->high);
    out = fmt::format(
        "No established change on {}: {} points on average{}, {} % of the responses "
        "identical; losses below {} points could hide in one task",
        counted(verdict.tasks, "task"), points(verdict.mean_difference), range, percent(same),
        percent(verdict.detectable));
  }
  if (!verdict.incomparable.empty()) {
    out += "; not comparable: " + task_names(verdict.incomparable);
  }
  return out + ".";
}

std::vector<PageAnswer> answers_of(const Page& page) {
  if (page.runs.empty()) return {};
  const std::vector<RunVerdict> verdicts = verdicts_of(page);
  return {accuracy_answer(page, verdicts), speed_answer(page, verdicts),
          change_answer(page, verdicts)};
}

}  // namespace assay::reports
