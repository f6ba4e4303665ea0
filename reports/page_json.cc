#include "reports/page_json.h"

#include <algorithm>
#include <unordered_map>

#include "reports/html.h"
#include "reports/page_format.h"

namespace assay::reports {
namespace {

Json optional_number(const std::optional<double>& value) { return value ? Json(*value) : Json(); }

Json value_json(const PageValue& value) {
  return Json::Object{{"value", value.value},
                      {"ci_low", value.low},
                      {"ci_high", value.high},
                      {"items", value.items},
                      {"unscored", value.unscored}};
}

Json difference_json(const PageDifference& d) {
  return Json::Object{{"difference", d.value},
                      {"ci_low", d.low},
                      {"ci_high", d.high},
                      {"p", d.p},
                      {"p_holm", d.p_adjusted},
                      {"method", d.method},
                      {"items", d.items},
                      {"responses", d.responses},
                      {"identical", d.identical},
                      {"right_to_wrong", d.right_to_wrong},
                      {"wrong_to_right", d.wrong_to_right},
                      {"detectable", d.detectable},
                      {"verdict", change_words(change_of(d))}};
}

Json facts_json(const PageFacts& facts) {
  Json out(Json::Object{});
  for (const auto& [label, value] : facts) out.set(label, value);
  return out;
}

Json run_json(const Page& page, std::size_t index) {
  const PageRun& run = page.runs[index];
  Json tasks(Json::Object{});
  for (const auto& [label, facts] : run.tasks) tasks.set(label, facts_json(facts));
  return Json::Object{
      {"run", run.id},
      {"name", short_run_name(page, index)},
      {"label", run.label},
      {"model", run.model},
      {"setting", run.setting},
      {"status", run.status},
      {"started_at", run.started_at},
      {"commit", run.commit},
      {"mean", optional_number(run.mean)},
      {"mean_against", run.mean_change ? difference_json(*run.mean_change) : Json()},
      {"output_tokens_per_s", optional_number(run.tokens_per_second)},
      {"peak_memory_bytes", optional_number(run.peak_memory_bytes)},
      {"energy_j", optional_number(run.energy_j)},
      {"provenance", facts_json(run.provenance)},
      {"tasks", std::move(tasks)}};
}

Json metric_json(const Page& page, const PageMetric& metric) {
  Json::Array runs;
  for (std::size_t run = 0; run < page.runs.size(); ++run) {
    if (!metric.values[run]) continue;
    Json row = value_json(*metric.values[run]);
    row.set("run", page.runs[run].id);
    if (metric.differences[run]) row.set("against", difference_json(*metric.differences[run]));
    if (!metric.incomparable[run].empty()) row.set("incomparable", metric.incomparable[run]);
    runs.push_back(std::move(row));
  }
  return Json::Object{{"task", metric.task},
                      {"metric", metric.metric},
                      {"headline", metric.headline},
                      {"runs", std::move(runs)}};
}

Json group_json(const Page& page, const PageGroups& groups) {
  Json::Array rows;
  for (const PageGroup& group : groups.groups) {
    for (std::size_t run = 0; run < page.runs.size(); ++run) {
      if (!group.values[run]) continue;
      Json row = value_json(*group.values[run]);
      row.set("group", group.name);
      row.set("run", page.runs[run].id);
      if (group.differences[run]) row.set("against", value_json(*group.differences[run]));
      rows.push_back(std::move(row));
    }
  }
  return Json::Object{
      {"task", groups.task}, {"metric", groups.metric}, {"groups", std::move(rows)}};
}

Json spreads_json(const Page& page, const std::vector<PageSpread>& spreads) {
  Json::Array out;
  for (const PageSpread& spread : spreads) {
    Json row(Json::Object{{"run", page.runs[spread.run].id}, {"responses", spread.count}});
    for (std::size_t i = 0; i < spread.quantiles.size(); ++i) {
      row.set("p" + std::to_string(static_cast<int>(100 * kSpreadShares[i] + 0.5)),
              spread.quantiles[i]);
    }
    out.push_back(std::move(row));
  }
  return out;
}

Json behaviours_json(const Page& page) {
  Json::Array out;
  for (const PageBehaviour& row : page.behaviours) {
    out.push_back(Json::Object{{"task", row.task},
                               {"run", page.runs[row.run].id},
                               {"responses", row.responses},
                               {"mean_output_tokens", row.mean_output_tokens},
                               {"truncated", row.truncated},
                               {"unanswered", row.unanswered},
                               {"unscored", row.unscored},
                               {"identical", optional_number(row.identical)}});
  }
  return out;
}

Json interval_json(const std::optional<Interval>& interval) {
  return interval ? Json(Json::Array{interval->low, interval->high}) : Json();
}

Json benches_json(const Page& page) {
  Json::Array out;
  for (const PageBench& bench : page.benches) {
    out.push_back(Json::Object{{"run", page.runs[bench.run].id},
                               {"case", bench.name},
                               {"metric", bench.metric},
                               {"repetitions", bench.repetitions},
                               {"invalid", bench.invalid},
                               {"starts", bench.starts},
                               {"mean", bench.mean},
                               {"ci95", interval_json(bench.interval)}});
  }
  return out;
}

Json trends_json(const Page& page) {
  Json::Array out;
  for (const PageTrend& trend : page.trends) {
    for (const PageTrendPoint& point : trend.points) {
      Json row = value_json(point.value);
      row.set("line", trend.name);
      row.set("task", trend.task);
      row.set("metric", trend.metric);
      row.set("run", point.run);
      row.set("commit", point.commit);
      row.set("started_at", point.started_at);
      out.push_back(std::move(row));
    }
  }
  return out;
}

Json published_json(const Page& page) {
  Json::Array out;
  for (const PublishedScore& score : page.published) {
    out.push_back(Json::Object{{"model", score.model},
                               {"setting", score.setting},
                               {"task", score.task},
                               {"metric", score.metric},
                               {"value", score.value},
                               {"protocol", score.protocol},
                               {"source", score.source}});
  }
  return out;
}

/// In a page's data block, with the comma after it.
std::size_t block_bytes(const Json& value) { return json_block(value.dump()).str().size() + 1; }

/// Numbers texts in the order of their first use.
class Texts {
 public:
  std::int64_t number(const std::string& text) {
    const auto [place, fresh] = numbers_.emplace(text, std::ssize(list_));
    if (fresh) list_.emplace_back(text);
    return place->second;
  }
  /// Those since the last call.
  std::size_t new_bytes() {
    std::size_t bytes = 0;
    for (; counted_ < list_.size(); ++counted_) bytes += block_bytes(list_[counted_]);
    return bytes;
  }
  Json::Array take() { return std::move(list_); }

 private:
  std::unordered_map<std::string, std::int64_t> numbers_;
  Json::Array list_;
  std::size_t counted_ = 0;
};

Json item_json(const PageItem& item, Texts& texts) {
  Json::Array responses;
  for (const PageResponse& r : item.responses) {
    responses.push_back(Json::Object{{"run", r.run},
                                     {"verdict", r.verdict},
                                     {"text", texts.number(r.text)},
                                     {"answer", texts.number(r.answer)},
                                     {"reason", texts.number(r.reason)},
                                     {"finish", r.finish_reason},
                                     {"tokens", r.output_tokens},
                                     {"first", r.first_difference}});
  }
  return Json::Object{{"task", item.task},
                      {"key", item.key},
                      {"group", item.group},
                      {"repeat", item.repeat},
                      {"flip", item.flip},
                      {"target", texts.number(item.target)},
                      {"prompt", texts.number(item.prompt)},
                      {"responses", std::move(responses)}};
}

}  // namespace

Json page_json(const Page& page) {
  Json::Array runs;
  for (std::size_t i = 0; i < page.runs.size(); ++i) runs.push_back(run_json(page, i));
  Json::Array metrics;
  for (const PageMetric& metric : page.metrics) metrics.push_back(metric_json(page, metric));
  Json::Array groups;
  for (const PageGroups& part : page.groups) groups.push_back(group_json(page, part));
  Json::Array notes(page.notes.begin(), page.notes.end());
  return Json::Object{
      {"assay_report", 1},
      {"title", page.title},
      {"notes", std::move(notes)},
      {"reference", page.runs.empty() ? Json() : Json(page.reference)},
      {"common_tasks", Json::Array(page.common_tasks.begin(), page.common_tasks.end())},
      {"runs", std::move(runs)},
      {"metrics", std::move(metrics)},
      {"groups", std::move(groups)},
      {"behaviour", behaviours_json(page)},
      {"first_token_ms", spreads_json(page, page.first_token_ms)},
      {"response_ms", spreads_json(page, page.total_ms)},
      {"response_tokens_per_s", spreads_json(page, page.rates)},
      {"benches", benches_json(page)},
      {"numerics", numerics_json(page.numerics)},
      {"trend", trends_json(page)},
      {"published", published_json(page)},
      {"responses_stored", page.responses_stored}};
}

Json items_json(const Page& page, std::size_t count) {
  Texts texts;
  Json::Array items;
  for (std::size_t i = 0; i < std::min(count, page.items.size()); ++i) {
    items.push_back(item_json(page.items[i], texts));
  }
  return Json::Object{{"texts", texts.take()}, {"items", std::move(items)}};
}

std::size_t items_within(const Page& page, std::size_t room) {
  Texts texts;
  std::size_t used = std::string_view(R"({"texts":[],"items":[]})").size();
  for (std::size_t i = 0; i < page.items.size(); ++i) {
    used += block_bytes(item_json(page.items[i], texts));
    used += texts.new_bytes();
    if (used > room) return i;
  }
  return page.items.size();
}

Json report_json(const Page& page) {
  Json out = page_json(page);
  Json items = items_json(page, page.items.size());
  for (auto& [key, value] : items.as_object()) out.set(key, std::move(value));
  return out;
}

}  // namespace assay::reports
