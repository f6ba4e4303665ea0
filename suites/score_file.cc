#include "suites/score_file.h"

#include <unordered_map>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "evals/ifeval/language_data.h"
#include "evals/templates.h"
#include "suites/plan.h"
#include "suites/score_pool.h"
#include "suites/summary.h"

namespace assay::suites {
namespace {

constexpr std::uint64_t kMaxResponsesBytes = std::uint64_t{4} << 30;
constexpr std::size_t kMaxLineBytes = std::size_t{16} << 20;

FileResponse parse_line(std::string_view line, const std::string& place) {
  if (line.size() > kMaxLineBytes) {
    throw_input("{}: the line has {} bytes, at most {} are accepted", place, line.size(),
                kMaxLineBytes);
  }
  const Json row = parse_json(line, place);
  const Json* id = row.find("id");
  if (id == nullptr || !id->is_string() || id->as_string().empty()) {
    throw_input("{}: no text \"id\"; expected {{\"id\": ..., \"response\": ...}}", place);
  }
  FileResponse parsed{.id = id->as_string(), .response = {}};
  const Json* text = row.find("response");
  const Json* logprobs = row.find("logprobs");
  if (text != nullptr && text->is_string()) {
    parsed.response.text = text->as_string();
  } else if (text != nullptr || logprobs == nullptr) {
    throw_input("{}: no text \"response\" for id \"{}\"", place, escaped(parsed.id, 80));
  }
  if (logprobs != nullptr) {
    if (!logprobs->is_array()) throw_input("{}: \"logprobs\" is not a list of numbers", place);
    for (const Json& value : logprobs->as_array()) {
      if (!value.is_number()) throw_input("{}: \"logprobs\" is not a list of numbers", place);
      parsed.response.choices.push_back({.logprob = value.as_double()});
    }
  }
  if (const Json* truncated = row.find("truncated"); truncated != nullptr && truncated->is_bool()) {
    parsed.response.truncated = truncated->as_bool();
  }
  return parsed;
}

const char* verdict_name(evals::Verdict verdict) {
  switch (verdict) {
    case evals::Verdict::kCorrect:
      return "correct";
    case evals::Verdict::kIncorrect:
      return "incorrect";
    case evals::Verdict::kUnscored:
      break;
  }
  return "unscored";
}

struct Task {
  const evals::Benchmark* benchmark;
  const evals::Protocol* protocol;
};

Task find_task(const ScoreFileOptions& options) {
  const evals::TaskName name = evals::parse_task_name(options.task);
  const evals::Benchmark& benchmark = evals::find_benchmark(name.task);
  const std::string& protocol = options.protocol.empty() ? name.protocol : options.protocol;
  return {.benchmark = &benchmark, .protocol = &evals::find_protocol(benchmark, protocol)};
}

/// Finds the sample of each response. Unknown ids throw, or are dropped with `skip_bad`.
void join_samples(ScoredFile& file, const std::vector<evals::Sample>& samples,
                  const ScoreFileOptions& options) {
  std::unordered_map<std::string_view, const evals::Sample*> by_id;
  for (const evals::Sample& sample : samples) by_id.emplace(sample.id, &sample);
  std::unordered_map<std::string_view, int> answered;
  std::vector<FileResponse> kept;
  for (FileResponse& response : file.responses) {
    const auto found = by_id.find(response.id);
    if (found == by_id.end()) {
      const std::string place = fmt::format("{}:{}", options.responses.string(), response.line);
      const std::string reason =
          fmt::format("unknown id \"{}\": {} has ids such as \"{}\"", escaped(response.id, 80),
                      file.benchmark->name(), samples.front().id);
      if (!options.skip_bad) throw_input("{}: {}", place, reason);
      file.bad.push_back({.place = place, .reason = reason});
      continue;
    }
    answered.emplace(found->first, 1);
    file.samples.push_back(*found->second);
    kept.push_back(std::move(response));
  }
  file.responses = std::move(kept);
  file.unanswered = static_cast<std::int64_t>(samples.size() - answered.size());
  if (file.responses.empty()) {
    throw_input("{}: no responses",
                options.responses.empty() ? options.prompts : options.responses.string());
  }
}

/// The published responses of the samples that have one.
std::vector<FileResponse> published_responses(const evals::PublishedSet& set,
                                              const std::vector<evals::Sample>& samples) {
  std::vector<FileResponse> responses;
  for (const evals::Sample& sample : samples) {
    const evals::PublishedItem* item = set.find(sample);
    if (item == nullptr || !item->response) continue;
    responses.push_back(
        {.id = sample.id, .response = {.text = *item->response}, .line = item->line});
  }
  return responses;
}

PublishedComparison compare_published(const ScoredFile& file, const evals::PublishedSet& set) {
  PublishedComparison out;
  for (std::size_t i = 0; i < file.scores.size(); ++i) {
    const evals::PublishedItem* item = set.find(file.samples[i]);
    if (item == nullptr || !item->correct) continue;
    if (file.scores[i].verdict == evals::Verdict::kUnscored) continue;
    const bool ours = file.scores[i].verdict == evals::Verdict::kCorrect;
    ++out.compared;
    out.agree += ours == *item->correct ? 1 : 0;
    out.only_ours += ours && !*item->correct ? 1 : 0;
    out.only_theirs += !ours && *item->correct ? 1 : 0;
  }
  return out;
}

void score_all(ScoredFile& file, const ScoreFileOptions& options) {
  file.scores.resize(file.responses.size());
  const auto score_one = [&](std::size_t i) {
    return file.benchmark->score(file.samples[i], file.responses[i].response,
                                 {.protocol = file.protocol,
                                  .sandbox = options.sandbox,
                                  .language = options.language,
                                  .answer_after = options.answer_after,
                                  .repeat = file.responses[i].repeat,
                                  .sample_id = file.responses[i].id});
  };
  if (options.threads <= 1) {
    for (std::size_t i = 0; i < file.scores.size(); ++i) file.scores[i] = score_one(i);
    return;
  }
  ScorePool pool(options.threads);
  for (std::size_t i = 0; i < file.scores.size(); ++i) {
    pool.submit({.generation = static_cast<std::int64_t>(i),
                 .score = [&score_one, i] { return score_one(i); }});
  }
  for (ScoreResult& result : pool.collect_all()) {
    file.scores[static_cast<std::size_t>(result.generation)] = std::move(result.score);
  }
}

}  // namespace

std::vector<FileResponse> read_responses(const std::filesystem::path& path,
                                         std::vector<datasets::BadRecord>* bad) {
  const std::string content = read_file_gunzip(path, kMaxResponsesBytes);
  std::vector<FileResponse> responses;
  std::unordered_map<std::string, std::int64_t> seen;
  std::int64_t number = 0;
  for (const std::string_view line : split(content, '\n')) {
    ++number;
    if (trim_ascii(line).empty()) continue;
    const std::string place = fmt::format("{}:{}", path.string(), number);
    try {
      FileResponse response = parse_line(line, place);
      response.line = number;
      response.repeat = seen[response.id]++;
      responses.push_back(std::move(response));
    } catch (const Error& error) {
      if (bad == nullptr || error.kind() != ErrorKind::kInput) throw;
      const std::string_view message = error.what();
      const std::size_t prefix = message.starts_with(place + ": ") ? place.size() + 2 : 0;
      bad->push_back({.place = place, .reason = std::string(message.substr(prefix))});
    }
  }
  return responses;
}

ScoredFile score_file(const ScoreFileOptions& options) {
  const Task task = find_task(options);
  ScoredFile file{.benchmark = task.benchmark, .protocol = task.protocol};
  if (options.language != nullptr) file.language_data = options.language->status;
  const std::string& split = options.split.empty() ? file.protocol->split : options.split;
  datasets::Loaded loaded =
      datasets::load_split(file.benchmark->manifest(), split, options.data,
                           {.custom = options.custom_data, .skip_bad = options.skip_bad});
  file.bad = std::move(loaded.bad);
  std::vector<evals::Sample> samples =
      to_samples(*file.benchmark, loaded.records, options.skip_bad ? &file.bad : nullptr);
  if (samples.empty()) throw_input("{}: no usable record in split \"{}\"", options.task, split);
  std::shared_ptr<const evals::PublishedSet> published;
  if (!options.prompts.empty()) published = evals::load_templates(options.prompts).published;
  if (published) {
    for (evals::Sample& sample : samples) sample = published->annotated(std::move(sample));
  }
  if (!options.responses.empty()) {
    file.responses = read_responses(options.responses, options.skip_bad ? &file.bad : nullptr);
  } else if (published) {
    file.responses = published_responses(*published, samples);
  } else {
    throw_input("{}: no responses: give --responses FILE, or --prompts with published samples",
                options.task);
  }
  join_samples(file, samples, options);
  score_all(file, options);
  std::vector<evals::Observation> observations;
  std::int64_t repeats = 1;
  for (std::size_t i = 0; i < file.scores.size(); ++i) {
    repeats = std::max(repeats, file.responses[i].repeat + 1);
    observations.push_back(evals::observe(*file.benchmark, *file.protocol, file.samples[i],
                                          file.responses[i].repeat, file.scores[i]));
  }
  file.aggregate =
      evals::aggregate(evals::with_repeat_metrics(file.protocol->metrics, repeats), observations);
  if (published) file.published = compare_published(file, *published);
  return file;
}

Json ScoredFile::summary() const {
  Json out;
  out.set("task", benchmark->name());
  out.set("protocol", protocol->name);
  out.set("n", aggregate.items);
  out.set("responses", aggregate.responses);
  out.set("unscored", aggregate.unscored);
  out.set("unanswered", unanswered);
  out.set("bad", bad.size());
  if (!language_data.empty()) out.set("language_data", language_data);
  out.set("metrics", metrics_json(aggregate.metrics));
  Json groups{Json::Object{}};
  for (const auto& [name, metrics] : aggregate.groups) groups.set(name, metrics_json(metrics));
  out.set("groups", std::move(groups));
  if (published) {
    Json entry;
    entry.set("compared", published->compared);
    entry.set("agree", published->agree);
    entry.set("only_ours", published->only_ours);
    entry.set("only_theirs", published->only_theirs);
    out.set("published", std::move(entry));
  }
  return out;
}

Json ScoredFile::verdict(std::size_t index) const {
  const evals::Score& score = scores[index];
  Json out;
  out.set("id", responses[index].id);
  out.set("verdict", verdict_name(score.verdict));
  out.set("value", score.value);
  out.set("answer", score.answer);
  // Where the target depends on protocol and repeat, the score names it.
  const Json* target = score.detail.find("target");
  out.set("target", target != nullptr ? *target : Json(samples[index].target));
  out.set("reason", score.reason);
  out.set("detail", score.detail.is_null() ? Json(Json::Object{}) : score.detail);
  return out;
}

std::vector<Json> extract_file(const ScoreFileOptions& options) {
  const Task task = find_task(options);
  std::vector<Json> lines;
  for (const FileResponse& response : read_responses(options.responses)) {
    Json line;
    line.set("id", response.id);
    line.set("answer",
             task.benchmark->extract(response.response, {.protocol = task.protocol,
                                                         .answer_after = options.answer_after,
                                                         .repeat = response.repeat,
                                                         .sample_id = response.id}));
    lines.push_back(std::move(line));
  }
  return lines;
}

}  // namespace assay::suites
