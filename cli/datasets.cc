// assay datasets list | verify | fetch: where the data come from, whether they are right, and
// getting them.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/commands.h"
#include "datasets/fetch.h"
#include "datasets/verify.h"
#include "evals/benchmark.h"

namespace assay::cli {
namespace {

using datasets::FetchState;
using datasets::FileState;
using datasets::Manifest;

struct DatasetOptions {
  std::vector<std::string> names;  // none: all
  std::string data;
  std::string ca_file;
  bool json = false;
};

/// The data sets asked for. Throws: Error(kInput) for an unknown name.
std::vector<const Manifest*> chosen_manifests(const DatasetOptions& options) {
  const auto all = evals::all_manifests();
  if (options.names.empty()) return {all.begin(), all.end()};
  std::vector<std::string> known;
  for (const Manifest* manifest : all) known.push_back(manifest->name);
  std::vector<const Manifest*> chosen;
  for (const std::string& name : options.names) {
    const auto at = std::find(known.begin(), known.end(), name);
    if (at == known.end()) {
      throw_input("unknown data set \"{}\"{}; there are: {}", escaped(name),
                  suggestion(name, known), join(known, ", "));
    }
    chosen.push_back(all[static_cast<std::size_t>(at - known.begin())]);
  }
  return chosen;
}

/// Records by split, in manifest order, as in "test 1319, train 7473".
std::string split_counts(const Manifest& manifest) {
  std::vector<std::pair<std::string, std::int64_t>> counts;
  for (const datasets::DataFile& file : manifest.files) {
    if (file.alternative) continue;
    const auto at = std::find_if(counts.begin(), counts.end(),
                                 [&](const auto& entry) { return entry.first == file.split; });
    if (at == counts.end()) {
      counts.emplace_back(file.split, file.records);
    } else {
      at->second += file.records;
    }
  }
  std::string text;
  for (const auto& [split, count] : counts) {
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", split, count);
  }
  return text;
}

Json manifest_json(const Manifest& manifest) {
  Json files{Json::Array{}};
  for (const datasets::DataFile& file : manifest.files) {
    Json entry;
    entry.set("path", file.path);
    entry.set("split", file.split);
    entry.set("group", file.group);
    entry.set("records", file.records);
    entry.set("sha256", file.sha256);
    entry.set("url", file.url);
    files.push_back(std::move(entry));
  }
  Json out;
  out.set("name", manifest.name);
  out.set("title", manifest.title);
  out.set("licence", manifest.licence);
  out.set("homepage", manifest.homepage);
  out.set("revision", manifest.revision);
  out.set("restricted", manifest.restricted);
  out.set("files", std::move(files));
  return out;
}

ExitCode list(const DatasetOptions& options) {
  Json documents{Json::Array{}};
  for (const Manifest* manifest : chosen_manifests(options)) {
    if (options.json) {
      documents.push_back(manifest_json(*manifest));
      continue;
    }
    fmt::print("{}: {}\n  records  {}\n  licence  {}\n  source   {} ({})\n", manifest->name,
               manifest->title, split_counts(*manifest), manifest->licence, manifest->homepage,
               manifest->revision);
    if (manifest->restricted) fmt::print("  the authors ask that its items are not published\n");
  }
  if (options.json) fmt::print("{}\n", documents.dump());
  return ExitCode::kOk;
}

const char* state_name(FileState state) {
  switch (state) {
    case FileState::kOk:
      return "ok";
    case FileState::kMissing:
      return "missing";
    case FileState::kUnused:
      return "not needed";
    case FileState::kWrong:
      break;
  }
  return "WRONG";
}

void print_checks(const std::vector<datasets::FileCheck>& checks) {
  for (const datasets::FileCheck& check : checks) {
    const std::string& member = check.file->member;
    fmt::print("{:<10} {:>6} records  {:.12}  {}{}\n", state_name(check.state), check.records,
               check.sha256.empty() ? "-" : check.sha256, escaped(check.path, 400),
               member.empty() ? "" : ":" + member);
    if (!check.reason.empty()) fmt::print("           {}\n", escaped(check.reason, 1000));
  }
}

Json checks_json(const std::vector<datasets::FileCheck>& checks, const Manifest& manifest) {
  Json out{Json::Array{}};
  for (const datasets::FileCheck& check : checks) {
    Json entry;
    entry.set("dataset", manifest.name);
    entry.set("split", check.file->split);
    entry.set("group", check.file->group);
    entry.set("path", check.path);
    entry.set("state", to_lower_ascii(state_name(check.state)));
    entry.set("records", check.records);
    entry.set("sha256", check.sha256);
    entry.set("reason", check.reason);
    out.push_back(std::move(entry));
  }
  return out;
}

/// Data sets that are not there at all are faults only when they were asked for by name.
ExitCode verify(const DatasetOptions& options) {
  std::size_t good = 0;
  std::size_t bad = 0;
  Json documents{Json::Array{}};
  for (const Manifest* manifest : chosen_manifests(options)) {
    const auto checks = datasets::verify(*manifest, options.data);
    const bool absent = std::all_of(checks.begin(), checks.end(), [](const auto& check) {
      return check.state == FileState::kMissing;
    });
    if (absent && options.names.empty()) {
      log_info("{}: not in {}", manifest->name, escaped(options.data, 400));
      continue;
    }
    for (const datasets::FileCheck& check : checks) {
      good += check.state == FileState::kOk ? 1U : 0U;
      bad += check.state == FileState::kMissing || check.state == FileState::kWrong ? 1U : 0U;
    }
    if (options.json) {
      for (const Json& check : checks_json(checks, *manifest).as_array()) {
        documents.push_back(check);
      }
    } else {
      print_checks(checks);
    }
  }
  if (options.json) {
    fmt::print("{}\n", documents.dump());
  } else {
    fmt::print("{} ok, {} wrong or missing\n", good, bad);
  }
  if (good + bad == 0) throw_input("{}: holds no data set", escaped(options.data, 400));
  return bad == 0 ? ExitCode::kOk : ExitCode::kInput;
}

void show_progress(std::uint64_t done, std::uint64_t total) {
  constexpr double kMiB = 1 << 20;
  const std::string of =
      total == 0 ? "" : fmt::format(" of {:.1f}", static_cast<double>(total) / kMiB);
  fmt::print(stderr, "\r  {:.1f}{} MiB", static_cast<double>(done) / kMiB, of);
  if (done == total) fmt::print(stderr, "\n");
}

ExitCode fetch(const DatasetOptions& options) {
  datasets::FetchOptions fetching;
  fetching.https.ca_file = options.ca_file;
  fetching.on_start = [](const std::string& url) { log_info("fetching {}", url); };
  if (::isatty(STDERR_FILENO) != 0) fetching.https.progress = show_progress;
  bool failed = false;
  for (const Manifest* manifest : chosen_manifests(options)) {
    std::set<std::string> reasons;
    for (const auto& result : datasets::fetch_dataset(*manifest, options.data, fetching)) {
      switch (result.state) {
        case FetchState::kPresent:
          fmt::print("present  {}\n", result.path);
          break;
        case FetchState::kFetched:
          fmt::print("fetched  {}\n", result.path);
          break;
        case FetchState::kNoSource:
          fmt::print("skipped  {}: {}\n", result.path, result.reason);
          break;
        case FetchState::kFailed:
          failed = true;
          fmt::print("FAILED   {}\n", result.path);
          reasons.insert(result.reason);
          break;
      }
    }
    for (const std::string& reason : reasons) log_warning("{}", escaped(reason, 2000));
  }
  return failed ? ExitCode::kEnvironment : ExitCode::kOk;
}

}  // namespace

void add_datasets(CLI::App& app, Chosen& chosen) {
  CLI::App* group = app.add_subcommand("datasets", "List, check or download the data sets");
  group->require_subcommand(1);
  auto options = std::make_shared<DatasetOptions>();
  const auto add = [&](const char* name, const char* help,
                       ExitCode (*action)(const DatasetOptions&)) {
    CLI::App* command = group->add_subcommand(name, help);
    command->callback([&chosen, options, action] {
      chosen.action = [options, action] { return action(*options); };
    });
    return command;
  };
  const auto add_data = [&](CLI::App* command) {
    command->add_option("--data", options->data, "Folder with one folder a data set")
        ->envname("ASSAY_DATA")
        ->required();
  };
  CLI::App* lists = add("list", "Sources, licences and counts", list);
  lists->add_option("NAME", options->names, "Data sets; default: all");
  lists->add_flag("--json", options->json, "One JSON document on stdout, with files and digests");
  CLI::App* verifies = add("verify", "Parse every file; compare counts and digests", verify);
  verifies->add_option("NAME", options->names, "Data sets; default: all that are there");
  verifies->add_flag("--json", options->json, "One JSON document on stdout");
  add_data(verifies);
  CLI::App* fetches = add("fetch", "Download over HTTPS what is missing, digest-checked", fetch);
  fetches->add_option("NAME", options->names, "Data sets")->required();
  fetches->add_option("--ca-file", options->ca_file,
                      "Trusted root certificates (PEM) instead of the system's");
  add_data(fetches);
}

}  // namespace assay::cli
