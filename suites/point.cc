#include "suites/point.h"

#include <map>
#include <utility>

#include "base/digest.h"
#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "suites/interrupt.h"
#include "suites/journal.h"
#include "suites/records.h"
#include "suites/translate.h"

namespace assay::suites {
namespace {

using Place = std::pair<std::int64_t, std::int64_t>;  // position, repeat

/// One task of a run: what is stored already, and what is still to be asked.
class TaskExecution {
 public:
  TaskExecution(store::Store& store, const store::RunRecord& run, const PlannedTask& task,
                const store::RunTaskRecord& stored, const RunnerOptions& options)
      : store_(store),
        run_(run),
        task_(task),
        stored_(stored),
        task_row_(stored.row),
        options_(options) {}

  /// Returns the number of responses without a verdict.
  std::int64_t execute(engine::Generator& model, store::RunWriter& writer,
                       const EarlyStopping& stopping) {
    find_missing(model.info(), stopping.decided != nullptr);
    const auto total = static_cast<std::int64_t>(task_.end - task_.begin) * task_.options.repeats;
    const auto open = static_cast<std::int64_t>(requests_.size());
    Progress progress(options_.progress, fmt::format("{}  {}", task_.label(), run_label()), total,
                      total - open - unscored_stored_);
    ScorePool pool(options_.score_threads);
    std::vector<JournalEntry> earlier = stored_without_score();
    for (std::size_t block = 0; block < block_ends_.size(); ++block) {
      Journal journal(writer, task_row_, pool, progress);
      for (JournalEntry& entry : std::exchange(earlier, {})) journal.post(std::move(entry));
      ask(model, journal, block == 0 ? 0 : block_ends_[block - 1], block_ends_[block]);
      journal.close();
      if (interrupted()) break;
      // The store is this thread's again: the journal has ended. After the last there is no choice.
      if (block + 1 < block_ends_.size() && stopping.decided(stored_)) {
        log_info("{}: decided after {} of {} responses", task_.label(),
                 total - open + static_cast<std::int64_t>(block_ends_[block]), total);
        break;
      }
    }
    progress.finish();
    return count_unscored();
  }

 private:
  std::string run_label() const {
    const std::string setting = setting_name({.precision = run_.setting, .kv = run_.kv});
    return fmt::format("{} {}", escaped(run_.model.name), setting);
  }

  /// In the order of the data set as one block, or in the blocks of early stopping.
  void find_missing(const engine::ModelInfo& model, bool in_blocks) {
    std::map<Place, store::StoredKey> stored;
    for (store::StoredKey& key : store_.stored_keys(task_row_)) {
      const Place place{key.position, key.repeat};
      stored.emplace(place, std::move(key));
    }
    std::vector<std::vector<std::size_t>> blocks(1);
    if (in_blocks) {
      blocks = seeded_blocks(task_.samples, run_.seed);
    } else {
      for (std::size_t i = task_.begin; i < task_.end; ++i) blocks[0].push_back(i);
    }
    for (const std::vector<std::size_t>& block : blocks) {
      for (const std::size_t sample : block) find_missing_of(sample, model, stored);
      block_ends_.push_back(requests_.size());
    }
  }

  void find_missing_of(std::size_t sample, const engine::ModelInfo& model,
                       const std::map<Place, store::StoredKey>& stored) {
    for (std::int64_t repeat = 0; repeat < task_.options.repeats; ++repeat) {
      engine::Request request = make_request(task_, sample, repeat, run_.seed);
      std::string key = response_key(model, task_, request);
      const auto found = stored.find({static_cast<std::int64_t>(sample), repeat});
      if (found != stored.end() && !found->second.error) {
        check_key(found->second, key, request.id);
        if (!found->second.scored) ++unscored_stored_;
        continue;
      }
      requests_.push_back(std::move(request));
      keys_.push_back(std::move(key));
      places_.emplace_back(static_cast<std::int64_t>(sample), repeat);
    }
  }

  void check_key(const store::StoredKey& stored, const std::string& key,
                 const std::string& id) const {
    if (stored.response_key == key) return;
    throw_input(
        "{}: run {}: the stored response to {} was made from another prompt, model or sampling; "
        "use --new to start over",
        store_.path().string(), run_.name, id);
  }

  std::function<evals::Score()> scorer(std::size_t sample, std::int64_t repeat,
                                       evals::Response response) const {
    return [this, sample, repeat, response = std::move(response)] {
      evals::ScoreContext context = options_.scoring;
      context.protocol = task_.protocol;
      context.answer_after = task_.options.answer_after;
      context.repeat = repeat;
      context.sample_id = task_.samples[sample].id;
      return task_.benchmark->score(task_.samples[sample], response, context);
    };
  }

  /// Responses that an earlier attempt stored but did not come to score. Read before there is a
  /// journal, whose thread alone then uses the store.
  std::vector<JournalEntry> stored_without_score() const {
    std::vector<JournalEntry> entries;
    if (unscored_stored_ == 0) return entries;
    store_.for_each_sample(task_row_, {.texts = true, .without_score_only = true},
                           [&](const store::SampleRecord& s) {
                             if (!s.generation.error.empty()) return true;
                             JournalEntry entry;
                             entry.sample.generation.row = s.generation.row;
                             entry.score = scorer(static_cast<std::size_t>(s.generation.position),
                                                  s.generation.repeat, to_response(s.generation));
                             entries.push_back(std::move(entry));
                             return true;
                           });
    return entries;
  }

  void ask(engine::Generator& model, Journal& journal, std::size_t begin, std::size_t end) {
    if (begin == end) return;
    const auto requests = std::span(requests_).subspan(begin, end - begin);
    model.run(requests, [&](std::size_t place, engine::Completion completion) {
      const std::size_t index = begin + place;
      const auto [position, repeat] = places_[index];
      const auto sample = static_cast<std::size_t>(position);
      JournalEntry entry;
      entry.sample.item = to_record(task_.samples[sample]);
      store::GenerationRecord& row = entry.sample.generation;
      row = to_record(completion, prompt_text(make_prompt(task_, sample, repeat)));
      row.position = position;
      row.repeat = repeat;
      row.response_key = keys_[index];
      if (completion.finish_reason != engine::FinishReason::kError) {
        entry.score = scorer(sample, repeat, to_response(completion));
      }
      journal.post(std::move(entry));
      return !interrupted() && !journal.failed();
    });
  }

  std::int64_t count_unscored() const {
    std::int64_t unscored = 0;
    for (const store::StoredKey& key : store_.stored_keys(task_row_)) {
      if (key.error || !key.scored) ++unscored;
    }
    return unscored;
  }

  store::Store& store_;
  const store::RunRecord& run_;
  const PlannedTask& task_;
  const store::RunTaskRecord& stored_;
  std::int64_t task_row_;
  const RunnerOptions& options_;
  std::vector<engine::Request> requests_;  // still to be asked; keys_ and places_ run beside it
  std::vector<std::string> keys_;
  std::vector<Place> places_;
  std::vector<std::size_t> block_ends_;  // in requests_; after each, early stopping may look
  std::int64_t unscored_stored_ = 0;
};

void hash_prompt(Sha256& digest, const engine::PromptInput& prompt) {
  digest.update_field(std::to_string(static_cast<int>(prompt.form)));
  digest.update_field(prompt.text);
  for (const engine::ChatMessage& message : prompt.messages) {
    digest.update_field(message.role);
    digest.update_field(message.content);
  }
  digest.update_field(prompt.assistant_prefix);
  digest.update_field(prompt.system_block ? "block" : "bare");
}

}  // namespace

engine::EngineOptions engine_options(const Suite& suite, const RunPoint& point) {
  engine::EngineOptions out;
  out.model = point.model.path;
  out.model_name = point.model.name;
  out.precision = point.setting.precision;
  out.kv = point.setting.kv;
  out.device = suite.engine.device;
  out.tp = suite.engine.tp;
  out.tp_invariant = suite.engine.tp_invariant;
  out.fast = suite.engine.fast;
  out.dp = suite.engine.dp;
  out.threads = suite.engine.threads;
  out.max_batch = suite.engine.max_batch;
  out.max_context = suite.engine.max_context;
  out.prefix_cache = suite.engine.prefix_cache;
  out.chat_format = suite.engine.chat_format;
  out.long_prompts = suite.engine.long_prompts;
  out.calibrate = suite.engine.calibrate;
  out.seed = suite.seed;
  out.stop_requested = interrupted;
  return out;
}

std::string run_identity(const Suite& suite, const RunPoint& point, const RunnerOptions& options) {
  Sha256 digest;
  digest.update_field(suite.name);
  digest.update_field(point.model.path);
  digest.update_field(point.model.name);
  digest.update_field(setting_name(point.setting));
  digest.update_field(suite.engine.device);
  digest.update_field(std::to_string(suite.engine.tp));
  if (!suite.engine.tp_invariant) digest.update_field("tp-dependent");
  if (suite.engine.fast) digest.update_field("fast");
  digest.update_field(std::to_string(options.plan.limit));
  digest.update_field(options.label);
  if (options.early_stopping) digest.update_field(store::kGateBaseline);
  const Shard& shard = options.plan.shard;
  if (shard.count > 1) {
    digest.update_field(store::kShard);
    digest.update_field(fmt::format("{}/{}", shard.index, shard.count));
  }
  return digest.hex();
}

std::string response_key(const engine::ModelInfo& model, const PlannedTask& task,
                         const engine::Request& request) {
  Sha256 digest;
  for (const std::string& part : {model.digest, model.tokenizer_digest, model.setting, model.kv,
                                  model.device, model.arithmetic, task.label()}) {
    digest.update_field(part);
  }
  digest.update_field(std::to_string(task.protocol->version));
  hash_prompt(digest, request.prompt);
  for (const std::string& text : request.continuations) digest.update_field(text);
  const engine::SamplingParams& s = request.sampling;
  digest.update_field(fmt::format("{} {} {} {} {} {}", s.temperature, s.top_k, s.top_p, s.min_p,
                                  s.seed, s.max_tokens));
  for (const std::string& text : s.stop) digest.update_field(text);
  digest.update_field(request.id);
  digest.update_field(std::to_string(request.repeat));
  return digest.hex();
}

std::int64_t execute_point(store::Store& store, const store::RunRecord& run,
                           engine::Generator& model, std::span<const PlannedTask* const> tasks,
                           const RunnerOptions& options, const EarlyStopping& stopping) {
  const InterruptibleWork work;
  store::RunWriter writer(store, run.row, to_record(this_machine()));
  const std::vector<store::RunTaskRecord> stored = store.load_tasks(run.row);
  std::int64_t unscored = 0;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    TaskExecution execution(store, run, *tasks[i], stored[i], options);
    unscored += execution.execute(model, writer, stopping);
    if (interrupted()) {
      throw Error(interrupt_kind(),
                  fmt::format("run {} was interrupted; everything finished is stored, the same "
                              "command continues it",
                              run.name));
    }
  }
  writer.finish(unscored == 0 ? store::RunStatus::kDone : store::RunStatus::kIncomplete,
                {.peak_memory_bytes = peak_memory_bytes()});
  return unscored;
}

}  // namespace assay::suites
