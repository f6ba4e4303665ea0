// A small run for tests of the store and of the reports.
#pragma once

#include <string>

#include "base/digest.h"
#include "store/store.h"

namespace assay::test {

inline store::RunRecord example_run(const std::string& setting = "bf16") {
  store::RunRecord run;
  run.label = "example " + setting;
  run.identity = "example/" + setting;
  run.inputs = parse_json(R"({"model": "m1", "suite": "s1"})", "test");
  run.suite_name = "example";
  run.suite = parse_json(R"({"name": "example"})", "test");
  run.model = {"stories", sha256_hex("model"), sha256_hex("tokenizer"), 260000, 520000, Json()};
  run.build = {"0.1.0", "abcdef", "GNU 12", "-O2"};
  run.machine.machine_class = "cpu:test";
  run.machine.host = "here";
  run.machine.cores = 2;
  run.setting = setting;
  run.kv = "bf16";
  run.device = "cpu";
  run.seed = 18446744073709551615ULL;
  return run;
}

inline store::RunTaskRecord example_task(const std::string& name = "gsm8k",
                                         std::int64_t items = 3) {
  store::RunTaskRecord task;
  task.name = name;
  task.protocol = "assay";
  task.split = "test";
  task.dataset_digest = sha256_hex(name);
  task.metrics = {{"accuracy", "mean", "accuracy", 1, {}}};
  task.scorer = name + "@assay";
  task.scorer_version = "1";
  task.items = items;
  return task;
}

/// Sample `position` of a task: correct where asked, with texts that name it.
inline store::SampleRecord example_sample(std::int64_t position, bool correct,
                                          const std::string& task = "gsm8k",
                                          std::int64_t repeat = 0) {
  store::SampleRecord sample;
  const std::string number = std::to_string(position);
  sample.item = {task + "/test/" + number,
                 "g" + std::to_string(position % 3),
                 "",
                 "",
                 "question " + number,
                 "7"};
  store::GenerationRecord& g = sample.generation;
  g.position = position;
  g.repeat = repeat;
  g.response_key = sha256_hex(sample.item.key + "/" + std::to_string(repeat));
  g.prompt = {"prompt " + number, {1, 2, static_cast<std::int32_t>(position)}};
  g.text = correct ? "the answer is 7" : "the answer is 8";
  g.ids = {5, 6, correct ? 7 : 8};
  g.finish_reason = "eos";
  g.prompt_tokens = 3;
  g.output_tokens = 3;
  g.sent_ns = 100;
  g.first_ns = 200;
  g.last_ns = 300;
  sample.score = store::ScoreRecord{correct ? store::Verdict::kCorrect : store::Verdict::kIncorrect,
                                    correct ? 1.0 : 0.0,
                                    correct ? "7" : "8",
                                    correct ? "equal" : "differs",
                                    Json(),
                                    {{"accuracy", correct ? 1.0 : 0.0, 1.0}}};
  return sample;
}

/// A finished run with the same verdicts in several tasks; '1' is a correct item, else a wrong one.
inline store::RunRecord add_run_of_tasks(store::Store& store, const std::string& setting,
                                         const std::vector<store::RunTaskRecord>& tasks,
                                         const std::string& verdicts) {
  const store::RunRecord run = store.load_run(store.create_run(example_run(setting), tasks));
  store::RunWriter writer(store, run.row, run.machine);
  for (const store::RunTaskRecord& task : store.load_tasks(run.row)) {
    std::vector<store::SampleRecord> samples;
    for (std::size_t i = 0; i < verdicts.size(); ++i) {
      samples.push_back(
          example_sample(static_cast<std::int64_t>(i), verdicts[i] == '1', task.name));
    }
    writer.add(task.row, samples);
  }
  writer.finish(store::RunStatus::kDone);
  return store.load_run(run.name);
}

}  // namespace assay::test
