#include "suites/suite.h"

#include <cstdlib>

#include "base/digest.h"
#include "base/error.h"
#include "base/file.h"
#include "base/object_reader.h"
#include "base/text.h"
#include "engine/settings.h"
#include "evals/benchmark.h"

namespace assay::suites {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMaxSuiteBytes = 1 << 20;
constexpr int kMaxParents = 8;
constexpr std::int64_t kMany = 1'000'000'000;

JsonSource read_source(const fs::path& file) {
  return {escaped(file.string(), 400), read_file(file, kMaxSuiteBytes)};
}

/// Objects merge key by key, everything else is replaced by the child's value.
Json merged(const Json& parent, const Json& child) {
  if (!parent.is_object() || !child.is_object()) return child;
  Json out = parent;
  for (const auto& [key, value] : child.as_object()) {
    const Json* old = parent.find(key);
    out.set(key, old != nullptr ? merged(*old, value) : value);
  }
  return out;
}

Json expand(const fs::path& file, int depth) {
  if (depth > kMaxParents) {
    throw_input("{}: \"extends\" goes on for more than {} files", file.string(), kMaxParents);
  }
  const JsonSource source = read_source(file);
  Json document = parse_jsonc(source.text, source.name);
  const Json* parent = document.find("extends");
  if (parent == nullptr) return document;
  if (!parent->is_string()) {
    throw_input("{}:{}: extends: must be a file name", source.name,
                line_and_column(source.text, parent->offset()));
  }
  Json out = merged(expand(file.parent_path() / parent->as_string(), depth + 1), document);
  std::erase_if(out.as_object(), [](const Json::Member& m) { return m.first == "extends"; });
  return out;
}

/// Relative paths start at the suite file's folder; "name:" forms and URLs stay as they are.
std::string resolve(const std::string& text, const fs::path& folder) {
  const std::string path = expand_variables(text);
  for (const char* prefix : {"dummy:", "http://", "https://"}) {
    if (path.rfind(prefix, 0) == 0) return path;
  }
  const std::string replay = "replay:";
  if (path.rfind(replay, 0) == 0) return replay + (folder / path.substr(replay.size())).string();
  return path.empty() ? path : (folder / path).lexically_normal().string();
}

/// Parses one suite document; holds what every part of it needs.
class SuiteParser {
 public:
  SuiteParser(const JsonSource& source, const fs::path& file)
      : source_(source), file_(file), folder_(file.parent_path()) {}

  Suite parse(const Json& document) {
    Suite suite;
    suite.file = file_;
    ObjectReader reader(document, source_, "");
    (void)reader.optional("$schema");
    if (reader.integer("assay_suite", 0, 1, 1) == 0) {
      reader.fail(document, "", "missing key \"assay_suite\" (its value is 1)");
    }
    suite.name = reader.required_string("name");
    suite.title = reader.string("title", suite.name);
    suite.data = resolve(reader.string("data", ""), folder_);
    suite.seed = static_cast<std::uint64_t>(reader.integer("seed", 0, 0, kMany));
    suite.allowed_errors = reader.integer("allowed_errors", 0, 0, kMany);
    suite.engine = engine(reader.optional("engine"));
    suite.numerics = numerics(reader.optional("numerics"));
    if (const Json* gates = reader.optional("gates")) suite.gates = *gates;
    (void)reader.optional("baseline");
    (void)reader.optional("on_inconclusive");
    if (const Json* bench = reader.optional("bench"))
      suite.bench = parse_suite_bench(*bench, source_);
    models(reader, document, suite);
    tasks(reader, suite);
    reader.finish();
    return suite;
  }

 private:
  Setting setting(const Json& json, const std::string& path) const {
    if (json.is_string()) return parse_setting_name(json.as_string());
    ObjectReader reader(json, source_, path);
    Setting out{.precision = reader.required_string("precision"),
                .kv = reader.string("kv", "bf16")};
    if (const Json* list = reader.optional("overrides"); list != nullptr) {
      if (!list->is_object()) reader.fail(*list, "overrides", "must be an object");
      std::vector<engine::SettingOverride> overrides;
      for (const auto& [pattern, name] : list->as_object()) {
        if (!name.is_string()) reader.fail(name, "overrides", "every value names a setting");
        overrides.push_back({pattern, name.as_string()});
      }
      out.precision = engine::setting_with_overrides(out.precision, overrides);
    }
    reader.finish();
    // A misspelt setting or pattern shows before any model is read.
    if (!out.precision.empty()) (void)engine::find_setting(out.precision);
    return out;
  }

  std::optional<SuiteNumerics> numerics(const Json* json) const {
    if (json == nullptr) return std::nullopt;
    ObjectReader reader(*json, source_, "numerics");
    SuiteNumerics out{.text = resolve(reader.required_string("text"), folder_),
                      .tokens = reader.integer("tokens", 2048, 2, 1 << 24),
                      .window = reader.integer("window", 256, 2, 1 << 16)};
    reader.finish();
    return out;
  }

  std::vector<Setting> settings(const Json* json, const std::string& path) const {
    if (json == nullptr) return {};
    if (!json->is_array()) return {setting(*json, path)};
    std::vector<Setting> out;
    for (const Json& item : json->as_array()) {
      out.push_back(setting(item, fmt::format("{}[{}]", path, out.size())));
    }
    return out;
  }

  SuiteModel model(const Json& json, const std::string& path) const {
    if (json.is_string()) return {.path = resolve(json.as_string(), folder_)};
    ObjectReader reader(json, source_, path);
    SuiteModel out{.path = resolve(reader.required_string("path"), folder_),
                   .name = reader.string("name", ""),
                   .label = reader.string("label", ""),
                   .settings = settings(reader.optional("settings"), path + ".settings")};
    reader.finish();
    return out;
  }

  void models(ObjectReader& reader, const Json& document, Suite& suite) const {
    const Json* one = reader.optional("model");
    const Json* many = reader.optional("models");
    if ((one == nullptr) == (many == nullptr)) {
      reader.fail(document, "", "give either \"model\" or \"models\"");
    }
    if (one != nullptr) suite.models.push_back(model(*one, "model"));
    if (many != nullptr) {
      if (!many->is_array() || many->as_array().empty()) {
        reader.fail(*many, "models", "must be a list with at least one model");
      }
      for (const Json& item : many->as_array()) {
        suite.models.push_back(model(item, fmt::format("models[{}]", suite.models.size())));
      }
    }
    std::vector<Setting> common = settings(reader.optional("settings"), "settings");
    if (common.empty()) common.emplace_back();
    for (SuiteModel& entry : suite.models) {
      if (entry.settings.empty()) entry.settings = common;
    }
  }

  SamplingOverride sampling(const Json* json, const std::string& path) const {
    SamplingOverride out;
    if (json == nullptr) return out;
    ObjectReader reader(*json, source_, path);
    const auto integer = [&](const char* key, std::int64_t low) -> std::optional<std::int64_t> {
      if (reader.optional(key) == nullptr) return std::nullopt;
      return reader.integer(key, 0, low, 1 << 20);
    };
    const auto number = [&](const char* key, double high) -> std::optional<double> {
      const Json* value = reader.optional(key);
      if (value == nullptr) return std::nullopt;
      const double parsed = reader.number(key, 0);
      if (!(parsed >= 0 && parsed <= high)) {
        reader.fail(*value, key, fmt::format("must be from 0 to {}", high));
      }
      return parsed;
    };
    out.max_tokens = integer("max_tokens", 1);
    out.top_k = integer("top_k", 0);
    out.temperature = number("temperature", 10);
    out.top_p = number("top_p", 1);
    reader.finish();
    return out;
  }

  SuiteTask task(const Json& json, const std::string& path) const {
    Json object;
    if (json.is_string()) object.set("task", json);
    ObjectReader reader(json.is_string() ? object : json, source_, path);
    SuiteTask out;
    out.task = reader.required_string("task");
    out.protocol = reader.string("protocol", "");
    if (const std::size_t at = out.task.find('@'); at != std::string::npos) {
      if (!out.protocol.empty()) reader.fail(json, "protocol", "stands after the \"@\" already");
      out.protocol = out.task.substr(at + 1);
      out.task.resize(at);
    }
    out.split = reader.string("split", "");
    out.groups = reader.strings("groups");
    out.limit = reader.integer("limit", 0, 0, kMany);
    out.limit_per_group = reader.integer("limit_per_group", 0, 0, kMany);
    out.shuffle_seed = reader.integer("shuffle_seed", -1, 0, kMany);
    out.repeats = reader.integer("repeats", 1, 1, 10'000);
    out.sampling = sampling(reader.optional("sampling"), path + ".sampling");
    out.prompts = resolve(reader.string("prompts", ""), folder_);
    out.answer_after = reader.string("answer_after", "");
    out.custom_data = reader.boolean("custom_data", false);
    reader.finish();
    try {
      out.protocol = evals::find_protocol(evals::find_benchmark(out.task), out.protocol).name;
    } catch (const Error& error) {
      reader.fail(json, "task", error.what());
    }
    return out;
  }

  void tasks(ObjectReader& reader, Suite& suite) const {
    if (suite.bench && reader.optional("tasks") == nullptr) return;
    const Json& list = reader.required("tasks");
    if (!list.is_array() || list.as_array().empty()) {
      reader.fail(list, "tasks", "must be a list with at least one task");
    }
    for (const Json& item : list.as_array()) {
      const std::string path = fmt::format("tasks[{}]", suite.tasks.size());
      SuiteTask next = task(item, path);
      for (const SuiteTask& earlier : suite.tasks) {
        if (earlier.task == next.task && earlier.protocol == next.protocol &&
            earlier.split == next.split) {
          reader.fail(item, path, "this task, protocol and split stand in the suite twice");
        }
      }
      suite.tasks.push_back(std::move(next));
    }
  }

  SuiteEngine engine(const Json* json) const {
    SuiteEngine out;
    if (json == nullptr) return out;
    ObjectReader reader(*json, source_, "engine");
    out.device = reader.string("device", "auto");
    out.tp = static_cast<int>(reader.integer("tp", 1, 1, 1024));
    out.tp_invariant = reader.boolean("tp_invariant", true);
    out.fast = reader.boolean("fast", false);
    out.dp = static_cast<int>(reader.integer("dp", 1, 1, 1024));
    out.threads = static_cast<int>(reader.integer("threads", 0, 0, 4096));
    out.max_batch = reader.integer("max_batch", 0, 0, 1 << 20);
    out.max_context = reader.integer("max_context", 0, 0, 1 << 24);
    out.prefix_cache = reader.boolean("prefix_cache", true);
    out.chat_format = reader.string("chat_format", "auto");
    out.calibrate = resolve(reader.string("calibrate", ""), folder_);
    out.long_prompts = reader.string("long_prompts", "error");
    if (out.long_prompts != "error" && out.long_prompts != "truncate") {
      reader.fail(json->at("long_prompts"), "long_prompts", "must be \"error\" or \"truncate\"");
    }
    reader.finish();
    return out;
  }

  const JsonSource& source_;
  const fs::path& file_;
  fs::path folder_;
};

}  // namespace

std::string setting_name(const Setting& setting) {
  const std::string precision = setting.precision.empty() ? "default" : setting.precision;
  return setting.kv == "bf16" ? precision : precision + "+kv-" + setting.kv;
}

Setting parse_setting_name(const std::string& text) {
  const std::size_t plus = text.find("+kv-");
  if (plus == std::string::npos) return {.precision = text, .kv = "bf16"};
  return {.precision = text.substr(0, plus), .kv = text.substr(plus + 4)};
}

std::string expand_variables(const std::string& text) {
  std::string out;
  std::size_t begin = 0;
  for (std::size_t at = text.find("${"); at != std::string::npos; at = text.find("${", begin)) {
    const std::size_t end = text.find('}', at);
    if (end == std::string::npos) break;
    const std::string name = text.substr(at + 2, end - at - 2);
    const char* value = std::getenv(name.c_str());
    if (value == nullptr) throw_input("environment variable {} is not set", escaped(name));
    out += text.substr(begin, at - begin) + value;
    begin = end + 1;
  }
  return out + text.substr(begin);
}

Json expand_suite(const fs::path& file) { return expand(file, 0); }

Suite load_suite(const fs::path& file) {
  // With a parent, offsets would belong to two files: errors then point into the expanded text.
  JsonSource source = read_source(file);
  Json document = parse_jsonc(source.text, source.name);
  if (document.find("extends") != nullptr) {
    source = {source.name + " (expanded)", expand_suite(file).dump_pretty()};
    document = parse_json(source.text, source.name);
  }
  Suite suite = SuiteParser(source, file).parse(document);
  suite.sha256 = sha256_hex(document.dump_canonical());
  suite.definition = std::move(document);
  return suite;
}

}  // namespace assay::suites
