#include "reports/page_samples.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.h"

namespace assay::reports {
namespace {

constexpr std::size_t kMaxTextBytes = 24000;      // of one prompt or response
constexpr std::size_t kMaxRestrictedAnswer = 16;  // a letter or number, no sentence of the item
constexpr std::size_t kClasses = 4;               // flips, failures, changed responses, the rest
constexpr std::size_t kMaxCandidates = 20000;     // of each task and class
constexpr const char* kWithheld =
    "[withheld: the data set's authors ask that items are not published]";

bool is_restricted(const store::RunTaskRecord& task) {
  const Json* mark = task.definition.find("restricted");
  return mark != nullptr && mark->is_bool() && mark->as_bool();
}

std::string shortened(const std::string& text) {
  if (text.size() <= kMaxTextBytes) return text;
  const std::size_t kept = utf8_prefix(text, kMaxTextBytes);
  return fmt::format("{}\n[{} more bytes are in the store]", text.substr(0, kept),
                     text.size() - kept);
}

/// The same task in every run that has it, the reference's first.
using TaskRuns = std::vector<const LoadedTask*>;

std::vector<TaskRuns> by_task(const std::vector<LoadedTask>& tasks, std::size_t reference) {
  std::vector<TaskRuns> out;
  for (const LoadedTask& task : tasks) {
    auto place = std::find_if(out.begin(), out.end(), [&](const TaskRuns& runs) {
      return runs.front()->label == task.label;
    });
    if (place == out.end()) place = out.emplace(out.end());
    place->insert(task.run == reference ? place->begin() : place->end(), &task);
  }
  return out;
}

/// The row of another run for the same item and repeat; `hint` is where it usually is.
const store::ScoreRow* find_row(const LoadedTask& task, const store::ScoreRow& wanted,
                                std::size_t hint) {
  const auto& rows = task.data.scores.rows;
  const auto same = [&](const store::ScoreRow& row) {
    return row.item == wanted.item && row.repeat == wanted.repeat;
  };
  if (hint < rows.size() && same(rows[hint])) return &rows[hint];
  const auto place = std::lower_bound(
      rows.begin(), rows.end(), wanted, [](const store::ScoreRow& a, const store::ScoreRow& b) {
        return std::pair(a.item, a.repeat) < std::pair(b.item, b.repeat);
      });
  return place != rows.end() && same(*place) ? &*place : nullptr;
}

std::size_t class_of(const TaskRuns& runs, std::size_t index) {
  const store::ScoreRow& base = runs.front()->data.scores.rows[index];
  bool failed = !base.scored || !base.correct;
  bool changed = false;
  for (std::size_t i = 1; i < runs.size(); ++i) {
    const store::ScoreRow* row = find_row(*runs[i], base, index);
    if (row == nullptr) continue;
    if (base.scored && row->scored && base.correct != row->correct) return 0;
    failed = failed || !row->scored || !row->correct;
    changed = changed || base.output_hash != row->output_hash;
  }
  return failed ? 1 : changed ? 2 : 3;
}

/// Indices into the rows of the task's first run, for each class.
using Candidates = std::array<std::vector<std::size_t>, kClasses>;

Candidates classify(const TaskRuns& runs) {
  Candidates out;
  for (std::size_t i = 0; i < runs.front()->data.scores.rows.size(); ++i) {
    std::vector<std::size_t>& list = out[class_of(runs, i)];
    if (list.size() < kMaxCandidates) list.push_back(i);
  }
  return out;
}

store::SampleRecord load_sample(const store::Store& store, std::int64_t task_row,
                                const store::ScoreRow& row) {
  store::SampleRecord out;
  store.for_each_sample(task_row, {.first_position = row.position, .row = row.generation},
                        [&](const store::SampleRecord& sample) {
                          out = sample;
                          return false;
                        });
  return out;
}

std::int64_t first_difference(const std::vector<std::int32_t>& a,
                              const std::vector<std::int32_t>& b) {
  const auto places = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  if (places.first == a.end() && places.second == b.end()) return -1;
  return places.first - a.begin();
}

PageResponse response_of(const store::SampleRecord& sample, std::size_t run) {
  const store::GenerationRecord& g = sample.generation;
  PageResponse out{.run = run,
                   .verdict = "unscored",
                   .text = shortened(g.text),
                   .reason = g.error,
                   .finish_reason = g.finish_reason,
                   .output_tokens = g.output_tokens};
  for (std::size_t i = 0; i < g.choices.size(); ++i) {
    out.text += fmt::format("{}choice {}: log-probability {:.4f} over {} tokens",
                            i == 0 ? "" : "\n", i + 1, g.choices[i].logprob, g.choices[i].tokens);
  }
  if (sample.score) {
    out.verdict = store::verdict_name(sample.score->verdict);
    out.answer = shortened(sample.score->answer);
    out.reason = shortened(sample.score->reason);
  }
  return out;
}

void withhold(PageItem& item) {
  item.prompt = kWithheld;
  for (PageResponse& response : item.responses) {
    response.text = kWithheld;
    if (response.answer.size() > kMaxRestrictedAnswer) response.answer = kWithheld;
    if (response.verdict != "unscored") response.reason.clear();
  }
  if (item.target.size() > kMaxRestrictedAnswer) item.target = kWithheld;
}

/// The same tokens with the same verdict of the same scorer: nothing new to read.
bool same_response(const LoadedTask& first, const store::ScoreRow& a, const LoadedTask& second,
                   const store::ScoreRow& b) {
  return a.output_hash == b.output_hash && a.scored && b.scored && a.correct == b.correct &&
         a.value == b.value && first.data.task.scorer == second.data.task.scorer &&
         first.data.task.scorer_version == second.data.task.scorer_version;
}

PageItem read_item(const store::Store& store, const TaskRuns& runs, std::size_t index) {
  const store::ScoreRow& base = runs.front()->data.scores.rows[index];
  PageItem out{.task = runs.front()->label, .repeat = base.repeat};
  std::vector<std::int32_t> ids;
  for (const LoadedTask* task : runs) {
    const store::ScoreRow* row = find_row(*task, base, index);
    if (row == nullptr) continue;
    if (!out.responses.empty() && same_response(*runs.front(), base, *task, *row)) {
      out.responses.push_back(out.responses.front());
      out.responses.back().run = task->run;
      continue;
    }
    const store::SampleRecord sample = load_sample(store, task->data.task.row, *row);
    if (out.responses.empty()) {
      out.key = sample.item.key;
      out.group = sample.item.group;
      out.target = shortened(sample.item.target);
      out.prompt = shortened(sample.generation.prompt.text);
      ids = sample.generation.ids;
    }
    out.responses.push_back(response_of(sample, task->run));
    out.responses.back().first_difference = first_difference(ids, sample.generation.ids);
    out.flip = out.flip || (base.scored && row->scored && base.correct != row->correct);
  }
  return out;
}

}  // namespace

std::int64_t item_bytes(const PageItem& item) {
  // Escapes and field names included, by experience; equal texts are stored once.
  std::size_t bytes =
      item.key.size() + item.group.size() + item.target.size() + item.prompt.size() + 120;
  std::vector<std::string_view> seen;
  for (const PageResponse& response : item.responses) {
    bytes += 60;
    for (const std::string* text : {&response.text, &response.answer, &response.reason}) {
      if (std::find(seen.begin(), seen.end(), *text) != seen.end()) continue;
      seen.push_back(*text);
      bytes += text->size() + 4;
    }
  }
  return static_cast<std::int64_t>(bytes + bytes / 20);
}

std::vector<PageItem> choose_samples(const store::Store& store,
                                     const std::vector<LoadedTask>& tasks,
                                     const SampleChoice& choice, bool& withheld) {
  const std::vector<TaskRuns> runs = by_task(tasks, choice.reference);
  std::vector<Candidates> candidates;
  for (const TaskRuns& task : runs) candidates.push_back(classify(task));
  std::vector<PageItem> out;
  std::int64_t left = choice.max_bytes;
  for (std::size_t kind = 0; kind < kClasses; ++kind) {
    bool more = true;
    for (std::size_t round = 0; more && left > 0; ++round) {
      more = false;
      for (std::size_t task = 0; task < runs.size() && left > 0; ++task) {
        if (round >= candidates[task][kind].size()) continue;
        more = true;
        PageItem item = read_item(store, runs[task], candidates[task][kind][round]);
        if (is_restricted(runs[task].front()->data.task) && !choice.include_restricted) {
          withhold(item);
          withheld = true;
        }
        left -= item_bytes(item);
        if (left > 0) out.push_back(std::move(item));
      }
    }
  }
  return out;
}

}  // namespace assay::reports
