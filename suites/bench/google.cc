#include "suites/bench/google.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): kill
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <optional>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "suites/interrupt.h"

extern char** environ;

namespace assay::suites {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMostBytes = std::uint64_t{256} << 20;

double unit_ns(const std::string& unit) {
  if (unit == "us") return 1e3;
  if (unit == "ms") return 1e6;
  if (unit == "s") return 1e9;
  return 1;
}

std::string text_of(const Json& entry, const char* key) {
  const Json* value = entry.find(key);
  return value != nullptr && value->is_string() ? value->as_string() : "";
}

std::optional<double> number_of(const Json& entry, const char* key) {
  const Json* value = entry.find(key);
  if (value == nullptr || !value->is_number()) return std::nullopt;
  return value->as_double();
}

bool is_known_field(const std::string& key) {
  static const std::vector<std::string> kFields = {"family_index",
                                                   "per_family_instance_index",
                                                   "repetitions",
                                                   "repetition_index",
                                                   "threads",
                                                   "iterations",
                                                   "real_time",
                                                   "cpu_time",
                                                   "bytes_per_second",
                                                   "items_per_second",
                                                   "flop/s"};
  return std::find(kFields.begin(), kFields.end(), key) != kFields.end();
}

store::BenchRepRecord read_rep(const Json& entry) {
  store::BenchRepRecord out;
  const Json* failed = entry.find("error_occurred");
  if (failed != nullptr && failed->is_bool() && failed->as_bool()) {
    out.invalid_reason = text_of(entry, "error_message");
    if (out.invalid_reason.empty()) out.invalid_reason = "the benchmark reported an error";
    return out;
  }
  const double unit = unit_ns(text_of(entry, "time_unit"));
  const auto add = [&](const char* name, std::optional<double> value, double factor) {
    if (value) out.values.emplace_back(name, *value * factor);
  };
  add("time_ns", number_of(entry, "real_time"), unit);
  add("cpu_time_ns", number_of(entry, "cpu_time"), unit);
  add("iterations", number_of(entry, "iterations"), 1);
  add("bytes_per_s", number_of(entry, "bytes_per_second"), 1);
  add("items_per_s", number_of(entry, "items_per_second"), 1);
  add("flops_per_s", number_of(entry, "flop/s"), 1);
  for (const auto& [key, value] : entry.as_object()) {
    if (value.is_number() && !is_known_field(key)) {
      out.values.emplace_back(escaped(key, 60), value.as_double());
    }
  }
  const double iterations = number_of(entry, "iterations").value_or(0);
  const double time = number_of(entry, "real_time").value_or(0) * unit;
  out.duration_ns = static_cast<std::int64_t>(std::clamp(iterations * time, 0.0, 9e18));
  return out;
}

double value_in(const store::BenchRepRecord& rep, std::string_view name) {
  for (const auto& [key, value] : rep.values) {
    if (key == name) return value;
  }
  return 0;
}

const engine::Roofline* roofline_for(const std::string& name,
                                     const std::vector<engine::Roofline>& rooflines) {
  const bool gpu = name.find("/cuda/") != std::string::npos;
  for (const engine::Roofline& roofline : rooflines) {
    if (gpu ? roofline.threads == 0 : roofline.threads == 1) return &roofline;
  }
  return nullptr;
}

/// Until the child has ended or a signal asks to stop, whichever is first.
void wait_for_end(pid_t child) {
  constexpr int kLookMs = 200;  // a signal may come between the question and the wait
  const int handle = static_cast<int>(::syscall(SYS_pidfd_open, child, 0));
  pollfd end{.fd = handle, .events = POLLIN, .revents = 0};
  while (!interrupted()) {
    if (::poll(&end, 1, kLookMs) > 0) break;
    siginfo_t seen{};  // a kernel without pidfd: the wait is a sleep
    if (handle < 0 &&
        (::waitid(P_PID, static_cast<id_t>(child), &seen, WEXITED | WNOHANG | WNOWAIT) != 0 ||
         seen.si_pid != 0)) {
      break;
    }
  }
  if (handle >= 0) ::close(handle);
}

/// Waits for a child, which is ended when a signal asks to stop. False when it was, or when that
/// signal ended it too, as from a terminal; throws unless it ended well otherwise.
bool wait_for(pid_t child, const fs::path& program) {
  wait_for_end(child);
  if (interrupted()) ::kill(child, SIGKILL);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFSIGNALED(status) && interrupted()) return false;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return true;
  throw_environment("{}: ended with {} {}", program.string(),
                    WIFSIGNALED(status) ? "signal" : "exit code",
                    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

}  // namespace

std::vector<store::BenchCaseRecord> read_google(const Json& document, const std::string& source) {
  const Json* list = document.find("benchmarks");
  if (list == nullptr || !list->is_array()) {
    throw_input("{}: no list \"benchmarks\": this is no result of Google Benchmark", source);
  }
  std::vector<store::BenchCaseRecord> out;
  std::map<std::string, std::size_t> places;
  for (const Json& entry : list->as_array()) {
    if (!entry.is_object()) throw_input("{}: \"benchmarks\" holds no objects", source);
    const std::string type = text_of(entry, "run_type");
    if (!type.empty() && type != "iteration") continue;
    std::string name = text_of(entry, "run_name");
    if (name.empty()) name = text_of(entry, "name");
    if (name.empty()) throw_input("{}: a benchmark has no name", source);
    const auto [place, added] = places.emplace(name, out.size());
    if (added) out.push_back({.name = name, .kind = "kernels", .params = Json(Json::Object{})});
    store::BenchCaseRecord& bench = out[place->second];
    store::BenchRepRecord rep = read_rep(entry);
    rep.number = std::ssize(bench.reps);
    rep.order_index = rep.number;
    rep.detail = Json(Json::Object{});
    bench.reps.push_back(std::move(rep));
  }
  return out;
}

Json google_json(const std::vector<store::BenchCaseRecord>& cases, const Json& context) {
  Json list{Json::Array{}};
  std::int64_t family = 0;
  for (const store::BenchCaseRecord& bench : cases) {
    if (bench.kind == "roofline") continue;  // bounds have no time
    for (const store::BenchRepRecord& rep : bench.reps) {
      Json entry;
      entry.set("name", bench.name);
      entry.set("family_index", family);
      entry.set("per_family_instance_index", 0);
      entry.set("run_name", bench.name);
      entry.set("run_type", "iteration");
      entry.set("repetitions", bench.reps.size());
      entry.set("repetition_index", rep.number);
      entry.set("threads", 1);
      if (!rep.invalid_reason.empty()) {
        entry.set("error_occurred", true);
        entry.set("error_message", rep.invalid_reason);
      }
      // A load has no iterations of its own: its time is that of a token, or of the repetition.
      const double tpot = value_in(rep, "tpot_ms_p50") * 1e6;
      const double time = value_in(rep, "time_ns") > 0 ? value_in(rep, "time_ns") : tpot;
      entry.set("iterations",
                static_cast<std::int64_t>(std::clamp(value_in(rep, "iterations"), 1.0, 9e18)));
      const double shown = time > 0 ? time : static_cast<double>(rep.duration_ns);
      const double cpu = value_in(rep, "cpu_time_ns");
      entry.set("real_time", shown);
      entry.set("cpu_time", cpu > 0 ? cpu : shown);
      entry.set("time_unit", "ns");
      for (const auto& [key, value] : rep.values) {
        if (key == "bytes_per_s") {
          entry.set("bytes_per_second", value);
        } else if (key == "items_per_s") {
          entry.set("items_per_second", value);
        } else if (key != "time_ns" && key != "cpu_time_ns" && key != "iterations") {
          entry.set(key == "flops_per_s" ? "flop/s" : key, value);
        }
      }
      list.push_back(std::move(entry));
    }
    ++family;
  }
  Json out;
  out.set("context", context);
  out.set("benchmarks", std::move(list));
  return out;
}

void add_roofline_shares(std::vector<store::BenchCaseRecord>& cases,
                         const std::vector<engine::Roofline>& rooflines) {
  for (store::BenchCaseRecord& bench : cases) {
    const engine::Roofline* roofline = roofline_for(bench.name, rooflines);
    if (roofline == nullptr) continue;
    for (store::BenchRepRecord& rep : bench.reps) {
      const double bandwidth = std::max(roofline->read_bytes_per_s, roofline->copy_bytes_per_s);
      const double memory = bandwidth > 0 ? value_in(rep, "bytes_per_s") / bandwidth : 0;
      const double most = roofline->most_flops_per_s();
      const double arithmetic = most > 0 ? value_in(rep, "flops_per_s") / most : 0;
      const double share = std::max(memory, arithmetic);
      if (share > 0) rep.values.emplace_back("share_of_roofline", share);
    }
  }
}

std::vector<fs::path> kernel_programs(const fs::path& folder) {
  std::vector<fs::path> out;
  std::error_code code;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, code)) {
    const std::string name = entry.path().filename().string();
    const std::string ending = "_kernels";
    if (name.size() > ending.size() && name.ends_with(ending) &&
        ::access(entry.path().c_str(), X_OK) == 0) {
      out.push_back(entry.path());
    }
  }
  if (out.empty()) {
    throw_input(
        "{}: no program *_kernels; build them (target bench_kernels) or name their folder "
        "with --programs",
        folder.string());
  }
  std::sort(out.begin(), out.end());
  return out;
}

Json run_google(const fs::path& program, const KernelPrograms& options) {
  std::string pattern = (fs::temp_directory_path() / "assay_bench_XXXXXX").string();
  const int file = ::mkstemp(pattern.data());
  if (file < 0) throw_environment("{}: a temporary file cannot be made", pattern);
  ::close(file);
  std::vector<std::string> words = {program.string(),
                                    "--benchmark_out=" + pattern,
                                    "--benchmark_out_format=json",
                                    fmt::format("--benchmark_repetitions={}", options.reps),
                                    "--benchmark_enable_random_interleaving=true",
                                    fmt::format("--benchmark_min_time={}", options.min_time_s)};
  if (!options.filter.empty()) words.push_back("--benchmark_filter=" + options.filter);
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  // Its own table goes to /dev/null: what it measured is in the file.
  ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t child = 0;
  const int failed =
      ::posix_spawn(&child, words[0].c_str(), &actions, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  std::string text;
  try {
    if (failed != 0) throw_environment("{}: cannot be started", program.string());
    if (wait_for(child, program)) text = read_file(pattern, kMostBytes);
  } catch (...) {
    ::unlink(pattern.c_str());
    throw;
  }
  ::unlink(pattern.c_str());
  if (trim_ascii(text).empty()) return Json();  // the filter matched nothing
  return parse_json(text, program.string());
}

}  // namespace assay::suites
