// A comparison as JSON, text, Markdown and CSV.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "reports/compare.h"

namespace assay::reports {

namespace {

Json metric_json(const MetricComparison& metric) {
  Json out;
  out.set("metric", metric.metric);
  out.set("baseline", metric.baseline);
  out.set("candidate", metric.candidate);
  out.set("difference", metric.difference);
  out.set("standard_error", metric.standard_error);
  out.set("interval", Json(Json::Array{metric.interval.low, metric.interval.high}));
  out.set("p", metric.p);
  out.set("p_adjusted", metric.p_adjusted);
  out.set("method", metric.method);
  out.set("detectable", metric.detectable);
  return out;
}

Json flip_json(const Flip& flip) {
  Json out;
  out.set("id", flip.item);
  out.set("repeat", flip.repeat);
  out.set("flip", flip.right_to_wrong ? "right to wrong" : "wrong to right");
  out.set("target", flip.target);
  out.set("baseline_answer", flip.baseline_answer);
  out.set("candidate_answer", flip.candidate_answer);
  out.set("baseline_response", flip.baseline_response);
  out.set("candidate_response", flip.candidate_response);
  return out;
}

Json task_json(const TaskComparison& task) {
  Json out;
  out.set("task", task.task);
  out.set("items", task.items);
  out.set("clusters", task.clusters);
  out.set("unscored", task.unscored);
  out.set("unpaired", task.unpaired);
  out.set("responses", task.responses);
  out.set("planned", task.planned);
  out.set("stopped_early", task.stopped_early);
  out.set("identical", task.identical);
  out.set("right_to_wrong", task.right_to_wrong);
  out.set("wrong_to_right", task.wrong_to_right);
  Json::Array metrics;
  for (const MetricComparison& metric : task.metrics) metrics.push_back(metric_json(metric));
  out.set("metrics", Json(std::move(metrics)));
  Json::Array flips;
  for (const Flip& flip : task.flips) flips.push_back(flip_json(flip));
  out.set("flips", Json(std::move(flips)));
  return out;
}

Json speed_json(const SpeedComparison& speed) {
  Json out;
  out.set("case", speed.name);
  out.set("metric", speed.metric);
  out.set("baseline", speed.baseline);
  out.set("candidate", speed.candidate);
  out.set("change", speed.change);
  out.set("better", speed.higher_is_better ? "higher" : "lower");
  out.set("values", Json(Json::Array{speed.baseline_values, speed.candidate_values}));
  out.set("p", speed.p);
  out.set("p_adjusted", speed.p_adjusted);
  out.set("same_machine", speed.same_machine);
  out.set("machine_difference", speed.machine_difference);
  return out;
}

Json names_json(const std::vector<std::string>& names) {
  return Json(Json::Array(names.begin(), names.end()));
}

/// For a Markdown cell: nothing that would end it or start markup.
std::string markdown(const std::string& text, std::size_t limit = 120) {
  std::string out;
  for (const char c : escaped(text, limit)) {
    if (std::string_view("\\`*_{}[]<>#|!&~").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

std::string stopped_note(const TaskComparison& task) {
  return fmt::format("stopped early: {} of {} responses asked, {:.0f} % saved", task.responses,
                     task.planned, 100 * saved_share(task));
}

std::string run_title(const store::RunRecord& run) {
  return run.name + " (" + run.model.name + ", " + run.setting + ", kv " + run.kv + ")";
}

std::string metric_text(const MetricComparison& m, int width) {
  return fmt::format(
      "{:<{}} {:6.2f} % -> {:6.2f} %  {:+.2f} points [{:+.2f}, {:+.2f}]  p {:.3g}, Holm {:.3g} "
      "({}); finds {:.2f}\n",
      escaped(m.metric), width, 100 * m.baseline, 100 * m.candidate, 100 * m.difference,
      100 * m.interval.low, 100 * m.interval.high, m.p, m.p_adjusted, m.method, 100 * m.detectable);
}

/// Where bits differ for another reason than the setting: another device, kernels, --fast.
std::string arithmetic_note(const Comparison& comparison) {
  const auto id = [](const store::RunRecord& run) { return run.device + "/" + run.arithmetic; };
  const std::string before = id(comparison.baseline);
  const std::string after = id(comparison.candidate);
  return before == after ? "" : before + " and " + after;
}

std::string tasks_markdown(const Comparison& comparison) {
  std::string out =
      "\n| task | metric | baseline | candidate | difference, points "
      "| p (Holm) | right to wrong | wrong to right | identical |\n"
      "|---|---|--:|--:|---|--:|--:|--:|--:|\n";
  for (const TaskComparison& task : comparison.tasks) {
    for (const MetricComparison& m : task.metrics) {
      out += fmt::format(
          "| {} | {} | {:.2f} % | {:.2f} % | {:+.2f} [{:+.2f}, {:+.2f}] | {:.3g} | {} | {} | {} of "
          "{} |\n",
          markdown(task.task), markdown(m.metric), 100 * m.baseline, 100 * m.candidate,
          100 * m.difference, 100 * m.interval.low, 100 * m.interval.high, m.p_adjusted,
          task.right_to_wrong, task.wrong_to_right, task.identical, task.responses);
    }
  }
  if (comparison.mean) {
    const MetricComparison& m = *comparison.mean;
    out +=
        fmt::format("| {} | | {:.2f} % | {:.2f} % | {:+.2f} [{:+.2f}, {:+.2f}] | {:.3g} | | | |\n",
                    m.metric, 100 * m.baseline, 100 * m.candidate, 100 * m.difference,
                    100 * m.interval.low, 100 * m.interval.high, m.p_adjusted);
  }
  for (const TaskComparison& task : comparison.tasks) {
    if (task.stopped_early) out += "\n" + markdown(task.task) + ": " + stopped_note(task) + "\n";
  }
  return out;
}

std::string machine_note(const SpeedComparison& speed) {
  if (!speed.same_machine) return ", on different machines";
  return speed.machine_difference.empty() ? "" : ", " + speed.machine_difference;
}

std::string speeds_markdown(const Comparison& comparison) {
  std::string out =
      "\n| case | metric | baseline | candidate | change | p (Holm) | values |\n"
      "|---|---|--:|--:|--:|--:|--:|\n";
  for (const SpeedComparison& speed : comparison.speeds) {
    out += fmt::format("| {} | {} | {:.5g} | {:.5g} | {:+.2f} %{} | {:.3g} | {}+{} |\n",
                       markdown(speed.name), markdown(speed.metric), speed.baseline,
                       speed.candidate, 100 * speed.change, machine_note(speed), speed.p_adjusted,
                       speed.baseline_values, speed.candidate_values);
  }
  return out;
}

}  // namespace

Json comparison_json(const Comparison& comparison) {
  Json out;
  out.set("schema", "assay-comparison-1");
  out.set("baseline", comparison.baseline.name);
  out.set("candidate", comparison.candidate.name);
  out.set("same_arithmetic", arithmetic_note(comparison).empty());
  out.set("alpha", comparison.alpha);
  out.set("overall_p", comparison.overall_p);
  out.set("only_baseline", names_json(comparison.only_baseline));
  out.set("only_candidate", names_json(comparison.only_candidate));
  Json::Array tasks;
  for (const TaskComparison& task : comparison.tasks) tasks.push_back(task_json(task));
  out.set("tasks", Json(std::move(tasks)));
  out.set("mean", comparison.mean ? metric_json(*comparison.mean) : Json());
  Json::Array speeds;
  for (const SpeedComparison& speed : comparison.speeds) speeds.push_back(speed_json(speed));
  out.set("speeds", Json(std::move(speeds)));
  return out;
}

std::string comparison_text(const Comparison& comparison) {
  std::string out =
      fmt::format("baseline  {}\ncandidate {}\n", escaped(run_title(comparison.baseline)),
                  escaped(run_title(comparison.candidate)));
  if (const std::string note = arithmetic_note(comparison); !note.empty()) {
    out += "different arithmetic: " + escaped(note) + "\n";
  }
  for (const TaskComparison& task : comparison.tasks) {
    out += fmt::format(
        "{}: {} items, {} of {} responses identical, {} right to wrong, {} wrong to right\n",
        escaped(task.task), task.items, task.identical, task.responses, task.right_to_wrong,
        task.wrong_to_right);
    if (task.unscored + task.unpaired > 0) {
      out += fmt::format("  left out: {} unscored responses, {} without a partner\n", task.unscored,
                         task.unpaired);
    }
    if (task.stopped_early) out += "  " + stopped_note(task) + "\n";
    for (const MetricComparison& m : task.metrics) out += "  " + metric_text(m, 20);
    for (const Flip& flip : task.flips) {
      out += fmt::format("    {} {}: \"{}\" -> \"{}\", target \"{}\"\n",
                         flip.right_to_wrong ? "lost" : "won ", escaped(flip.item),
                         escaped(flip.baseline_answer, 60), escaped(flip.candidate_answer, 60),
                         escaped(flip.target, 60));
    }
  }
  if (comparison.mean) out += metric_text(*comparison.mean, 22);
  for (const SpeedComparison& speed : comparison.speeds) {
    out += fmt::format(
        "{}: {} {:.5g} -> {:.5g}, {:+.2f} % ({} is better), rank test p {:.3g}, Holm {:.3g}, {}+{} "
        "values{}\n",
        escaped(speed.name), escaped(speed.metric), speed.baseline, speed.candidate,
        100 * speed.change, speed.higher_is_better ? "higher" : "lower", speed.p, speed.p_adjusted,
        speed.baseline_values, speed.candidate_values, machine_note(speed));
  }
  if (comparison.tasks.empty()) return out;
  out += fmt::format("any change at all: p {:.3g} over {} tasks\n", comparison.overall_p,
                     comparison.tasks.size());
  return out;
}

std::string comparison_markdown(const Comparison& comparison) {
  std::string out =
      fmt::format("Baseline {}, candidate {}.\n", markdown(run_title(comparison.baseline), 400),
                  markdown(run_title(comparison.candidate), 400));
  if (const std::string note = arithmetic_note(comparison); !note.empty()) {
    out += "\nDifferent arithmetic: " + markdown(note) + ".\n";
  }
  if (!comparison.tasks.empty()) out += tasks_markdown(comparison);
  if (!comparison.speeds.empty()) out += speeds_markdown(comparison);
  return out;
}

std::string csv_cell(const std::string& text) {
  constexpr std::string_view kFormula = "=+-@\t\r";
  const std::size_t first = text.find_first_not_of(" \n");
  const std::string_view start =
      first == std::string::npos ? "" : std::string_view(text).substr(first);
  bool guard = !start.empty() && kFormula.find(start.front()) != std::string_view::npos;
  // Full-width = + - @.
  for (const std::string_view wide : {"\uFF1D", "\uFF0B", "\uFF0D", "\uFF20"}) {
    guard = guard || start.starts_with(wide);
  }
  const std::string safe = (guard ? "'" : "") + text;
  if (safe.find_first_of(",\"\r\n") == std::string::npos) return safe;
  return "\"" + replace_all(safe, "\"", "\"\"") + "\"";
}

std::string comparison_csv(const Comparison& comparison) {
  std::string out =
      "baseline_run,candidate_run,task,metric,items,baseline,candidate,difference,standard_error,"
      "low,high,p,p_adjusted,method,right_to_wrong,wrong_to_right,identical,responses\r\n";
  for (const TaskComparison& task : comparison.tasks) {
    for (const MetricComparison& m : task.metrics) {
      out += fmt::format("{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}\r\n",
                         csv_cell(comparison.baseline.name), csv_cell(comparison.candidate.name),
                         csv_cell(task.task), csv_cell(m.metric), task.items, m.baseline,
                         m.candidate, m.difference, m.standard_error, m.interval.low,
                         m.interval.high, m.p, m.p_adjusted, csv_cell(m.method),
                         task.right_to_wrong, task.wrong_to_right, task.identical, task.responses);
    }
  }
  if (comparison.mean) {
    const MetricComparison& m = *comparison.mean;
    out += fmt::format("{},{},,{},,{},{},{},{},{},{},{},{},{},,,,\r\n",
                       csv_cell(comparison.baseline.name), csv_cell(comparison.candidate.name),
                       csv_cell(m.metric), m.baseline, m.candidate, m.difference, m.standard_error,
                       m.interval.low, m.interval.high, m.p, m.p_adjusted, csv_cell(m.method));
  }
  return out;
}

}  // namespace assay::reports
