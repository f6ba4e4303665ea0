// Writes stores for tests of the report page, all made up from fixed seeds.
// Usage: report_store FILE demo            eight settings of one model on seven tasks
//        report_store FILE hostile         names and texts that try to break out of the page
//        report_store FILE large RUNS N    RUNS runs of N samples each
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/random.h"
#include "tests/store/fixture.h"

namespace {

using namespace assay;  // NOLINT(google-build-using-namespace): a small tool

struct Task {
  const char* name;
  const char* protocol;
  std::int64_t items;
  double accuracy;
  std::vector<std::string> groups;
  std::int64_t tokens;  // mean length of a response
  bool restricted = false;
};

struct Setting {
  const char* name;
  const char* kv;
  double change;  // share of the verdicts that are drawn anew
  double harm;    // share of those that end wrong
  double speed;   // relative
  double memory;  // GiB
};

const std::vector<Setting> kSettings = {{"bf16", "bf16", 0, 0, 1, 2.41},
                                        {"bf16", "fp8", 0.012, 0.5, 1.06, 2.28},
                                        {"fp8", "bf16", 0.026, 0.52, 1.52, 1.52},
                                        {"fp8", "fp8", 0.034, 0.53, 1.6, 1.39},
                                        {"fp8-tensor", "bf16", 0.05, 0.72, 1.56, 1.5},
                                        {"fp8-tensor", "fp8", 0.06, 0.74, 1.64, 1.37},
                                        {"w8a16-fp8", "bf16", 0.018, 0.5, 1.18, 1.53},
                                        {"w8a16-fp8", "fp8", 0.027, 0.51, 1.25, 1.4}};

const std::vector<std::string> kSubjects = {"abstract algebra",
                                            "anatomy",
                                            "astronomy",
                                            "business ethics",
                                            "clinical knowledge",
                                            "college biology",
                                            "college chemistry",
                                            "college physics",
                                            "computer security",
                                            "econometrics",
                                            "formal logic",
                                            "global facts",
                                            "high school history",
                                            "human aging",
                                            "international law",
                                            "machine learning",
                                            "marketing",
                                            "moral disputes",
                                            "nutrition",
                                            "philosophy",
                                            "prehistory",
                                            "professional law",
                                            "public relations",
                                            "sociology",
                                            "virology",
                                            "world religions"};

std::vector<Task> demo_tasks() {
  return {
      {"gsm8k", "assay", 660, 0.446, {}, 96},
      {"mmlu", "assay", 1040, 0.493, kSubjects, 3},
      {"mgsm",
       "assay",
       550,
       0.244,
       {"bn", "de", "en", "es", "fr", "ja", "ru", "sw", "te", "th", "zh"},
       88},
      {"math", "assay", 500, 0.306, {"level 1", "level 2", "level 3", "level 4", "level 5"}, 170},
      {"gpqa", "assay", 198, 0.272, {"Biology", "Chemistry", "Physics"}, 210, true},
      {"humaneval", "assay", 164, 0.341, {}, 120},
      {"ifeval", "assay", 270, 0.595, {}, 230}};
}

const char* const kWords[] = {"each",   "box",    "holds",    "twelve", "pencils", "so",
                              "the",    "total",  "is",       "then",   "we",      "subtract",
                              "three",  "and",    "multiply", "by",     "four",    "which",
                              "leaves", "twenty", "of",       "them",   "for",     "class"};

std::string prose(SplitMix64& random, std::int64_t words) {
  std::string out;
  for (std::int64_t i = 0; i < words; ++i) {
    out += (i == 0 ? "" : " ") + std::string(kWords[random() % std::size(kWords)]);
    if (i % 11 == 10) out += ".";
  }
  return out;
}

store::RunRecord demo_run(const Setting& setting) {
  store::RunRecord run = test::example_run(setting.name);
  run.label = "";
  run.suite_name = "synthetic";
  run.suite = parse_json(
      R"({"name": "synthetic", "title": "What FP8 costs: eight settings of one model"})", "test");
  run.model.name = "example-1b";
  run.model.parameters = 1'235'814'400;
  run.kv = setting.kv;
  run.build.git_commit = "0000000";
  run.machine.machine_class = "made up";
  run.machine.cpu = "made up";
  run.device = "cpu";
  run.arithmetic = "made up, for pictures";
  run.identity = std::string("demo/") + setting.name + "/" + setting.kv;
  return run;
}

store::RunTaskRecord demo_task(const Task& task) {
  store::RunTaskRecord out = test::example_task(task.name, task.items);
  out.protocol = task.protocol;
  out.dataset_published = false;
  out.scorer = std::string(task.name) + "@assay";
  out.definition = parse_json(
      task.restricted ? R"({"restricted": true, "max_tokens": 512})" : R"({"max_tokens": 512})",
      "test");
  return out;
}

/// Sample `i`: what it is about depends on task and position alone, the rest on the setting too.
store::SampleRecord demo_sample(const Task& task, std::int64_t i, const Setting& setting,
                                SplitMix64& own) {
  SplitMix64 common(fnv1a(task.name) + static_cast<std::uint64_t>(i));
  const double hard = task.groups.size() > 1 ? static_cast<double>(i % std::ssize(task.groups)) /
                                                       static_cast<double>(task.groups.size()) -
                                                   0.5
                                             : 0;
  bool right = common.uniform() < task.accuracy - 0.25 * hard;
  const bool drawn = own.uniform() < setting.change;
  if (drawn) right = own.uniform() >= setting.harm;
  store::SampleRecord out = test::example_sample(i, right, task.name);
  out.item.group =
      task.groups.empty() ? "" : task.groups[static_cast<std::size_t>(i) % task.groups.size()];
  store::GenerationRecord& g = out.generation;
  const std::int64_t length =
      1 + task.tokens / 2 +
      static_cast<std::int64_t>(common() >> 1) % std::max<std::int64_t>(1, task.tokens);
  const std::string question = prose(common, 30);
  out.item.question = question;
  out.item.target = std::to_string(10 + i % 89);
  g.prompt.text = "<|user|>\n" + question + "?\nGive the number alone at the end.\n<|assistant|>\n";
  std::string start = prose(common, std::max<std::int64_t>(1, length * 2 / 3));
  if (drawn || own.uniform() < 4 * setting.change) start += " or rather " + prose(own, 5);
  const std::string answer = right ? out.item.target : std::to_string(9 + i % 71);
  g.text = start + ". The answer is " + answer + ".";
  g.ids.clear();
  for (const char c : g.text) g.ids.push_back(c);
  g.prompt_tokens = 60;
  g.output_tokens = length;
  const double scale = (0.75 + 0.5 * own.uniform()) / setting.speed;
  g.scheduled_ns = g.sent_ns = 1000;
  g.first_ns = g.sent_ns + static_cast<std::int64_t>(9e6 * scale * (1 + own.uniform()));
  g.last_ns = g.first_ns + static_cast<std::int64_t>(6.1e6 * scale * static_cast<double>(length));
  g.finish_reason = length > task.tokens * 14 / 10 ? "length" : "eos";
  out.score->answer = answer;
  out.score->reason = right ? "equal to " + out.item.target : answer + " is not " + out.item.target;
  return out;
}

void write_task(store::RunWriter& writer, std::int64_t row, const Task& task,
                const Setting& setting) {
  SplitMix64 own(fnv1a(std::string(setting.name) + setting.kv + task.name));
  std::vector<store::SampleRecord> batch;
  for (std::int64_t i = 0; i < task.items; ++i) {
    batch.push_back(demo_sample(task, i, setting, own));
    if (batch.size() < 2000 && i + 1 < task.items) continue;
    writer.add(row, batch);
    batch.clear();
  }
}

void write_run(store::Store& store, store::RunRecord record, const std::vector<Task>& tasks,
               const Setting& setting) {
  std::vector<store::RunTaskRecord> rows;
  for (const Task& task : tasks) rows.push_back(demo_task(task));
  const store::RunRecord run = store.load_run(store.create_run(record, rows));
  store::RunWriter writer(store, run.row, run.machine);
  const std::vector<store::RunTaskRecord> stored = store.load_tasks(run.row);
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    write_task(writer, stored[i].row, tasks[i], setting);
  }
  writer.finish(store::RunStatus::kDone,
                {.peak_memory_bytes = static_cast<std::int64_t>(setting.memory * (1LL << 30))});
}

void write_demo(store::Store& store) {
  for (const Setting& setting : kSettings) {
    store::RunRecord record = demo_run(setting);
    record.name = std::string("synthetic-") + setting.name + "-kv-" + setting.kv;
    write_run(store, record, demo_tasks(), setting);
  }
}

void write_large(store::Store& store, std::int64_t runs, std::int64_t samples) {
  const std::vector<Task> tasks = {{"gsm8k", "assay", samples / 4, 0.6, {}, 96},
                                   {"mmlu", "assay", samples / 2, 0.6, kSubjects, 60},
                                   {"math",
                                    "assay",
                                    samples - samples / 4 - samples / 2,
                                    0.4,
                                    {"level 1", "level 2", "level 3"},
                                    110}};
  for (std::int64_t i = 0; i < runs; ++i) {
    Setting setting = kSettings[static_cast<std::size_t>(i) % kSettings.size()];
    store::RunRecord record = demo_run(setting);
    record.model.name = "example-" + std::to_string(1 + i / 8) + "b";
    record.model.digest = sha256_hex(record.model.name);
    record.identity += record.model.name;
    write_run(store, record, tasks, setting);
  }
}

/// Every text that a model, a data set or a file could bring.
const std::vector<std::string> kHostile = {
    "</script><script>window.hit=1</script>",
    "<img src=x onerror=\"window.hit=1\">",
    "<svg onload=window.hit=1><style>*{display:none}</style></svg>",
    "\"><body onload=window.hit=1>",
    "<!--<script>",
    "]]>--><style>body{display:none}</style>",
    "javascript:window.hit=1",
    "\u202Eright to left\u2066 isolate \u200Bzero width \uFEFF",
    std::string("nul \0 byte, bell \a, escape \x1B[31m", 33),
    "invalid utf-8 \xFF\xC0\xAF\xED\xA0\x80 end",
    "line\u2028separators\u2029here",
    "=cmd|' /C calc'!A0",
    "| pipe ` tick <b> @someone #1 ]( http://example.org",
    "Z\u0351\u036B\u0343\u036A\u0302\u036Ba\u0327\u0351\u0313\u0324\u0301l\u0316\u0339g\u0321o"};

void write_hostile(store::Store& store) {
  for (std::size_t run_number = 0; run_number < 2; ++run_number) {
    store::RunRecord record = test::example_run(run_number == 0 ? "bf16" : kHostile[1]);
    record.suite = Json(Json::Object{{"title", kHostile[0]}});
    record.model.name = kHostile[2];
    record.label = kHostile[7];
    record.notes = kHostile[4];
    record.machine.cpu = kHostile[3];
    std::vector<store::RunTaskRecord> tasks = {test::example_task("gsm8k", std::ssize(kHostile))};
    tasks[0].protocol = kHostile[5];
    const store::RunRecord run = store.load_run(store.create_run(record, tasks));
    store::RunWriter writer(store, run.row, run.machine);
    std::vector<store::SampleRecord> samples;
    for (std::size_t i = 0; i < kHostile.size(); ++i) {
      const std::string& text = kHostile[i];
      samples.push_back(test::example_sample(static_cast<std::int64_t>(i), run_number == 0));
      samples.back().item = {text, text, "", "", text, text};
      samples.back().generation.prompt.text = text + std::string(30'000, 'w');
      samples.back().generation.text =
          text + (run_number == 0 ? "" : " changed") + std::string(200'000, 'x');
      samples.back().score->answer = text;
      samples.back().score->reason = text;
    }
    writer.add(store.load_tasks(run.row)[0].row, samples);
    writer.finish(store::RunStatus::kDone);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fputs("usage: report_store FILE demo | hostile | large RUNS N\n", stderr);
    return 2;
  }
  try {
    store::Store store = store::Store::open(argv[1], store::OpenMode::kCreate);
    if (std::strcmp(argv[2], "demo") == 0) {
      write_demo(store);
    } else if (std::strcmp(argv[2], "hostile") == 0) {
      write_hostile(store);
    } else if (argc == 5) {
      write_large(store, std::atoll(argv[3]), std::atoll(argv[4]));
    }
  } catch (const Error& error) {
    std::fprintf(stderr, "report_store: %s\n", error.what());
    return 6;
  }
  return 0;
}
