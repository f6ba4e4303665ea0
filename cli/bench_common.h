// What the subcommands of `assay bench` share: options, an open session with its machine, and the
// way of results into the store and onto the screen.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/processes.h"
#include "engine/session.h"
#include "suites/bench/record.h"
#include "suites/bench/target.h"

namespace assay::cli {

struct BenchArguments {
  engine::EngineOptions engine;
  std::string launcher = "auto";
  std::string db;
  std::string label;
  std::string branch;
  std::string revision;
  std::optional<std::int64_t> starts;  // of what is started here
  std::optional<std::int64_t> reps;    // after each start
  std::int64_t usual_reps_of_start = suites::kUsualRepsOfStart;
  suites::NoiseLimits noise;
  bool bounds = true;
  bool quiet = false;
  bool json = false;
};

/// The engine options, --dp, --launcher.
void add_bench_model_options(CLI::App& command, BenchArguments& a);
/// --starts, for models that are made here.
void add_starts_option(CLI::App& command, BenchArguments& a);
/// --db, --label, --branch, --revision, --reps, --allowed-noise, --allowed-drift, --json.
void add_bench_options(CLI::App& command, BenchArguments& a);

/// An open model and its machine. `target` refers to the other members.
class BenchModel {
 public:
  /// Throws: Error(kInput) for several starts of what is not started here.
  explicit BenchModel(const BenchArguments& a);
  /// Makes the model anew. REQUIRES: nothing is in flight.
  void restart();
  [[nodiscard]] const suites::BenchTarget& target() const { return target_; }
  [[nodiscard]] engine::Session& session() const { return *session_; }
  [[nodiscard]] engine::SpeedProbe* probe() const { return probe_.get(); }
  /// Whether requests go to a server: its work on this machine is not interference then.
  [[nodiscard]] bool remote() const { return remote_; }
  /// Whether it can be made anew: not a server, not one that several processes hold.
  [[nodiscard]] bool restarts() const { return !remote_ && engine_.processes == nullptr; }

 private:
  engine::EngineOptions engine_;
  bool remote_;
  std::unique_ptr<engine::Session> session_;
  suites::SteadyLoadClock clock_;
  std::unique_ptr<engine::SpeedProbe> probe_;  // where the model runs on this machine's cores
  suites::BenchTarget target_;
};

/// "run:NAME" takes the lengths of a stored run, anything else is a file.
std::vector<suites::RequestLength> lengths_from(const std::string& source, const std::string& db);

/// REQUIRES: `model` outlives them.
suites::MeasureOptions measure_options(const BenchArguments& a, BenchModel& model);
suites::NoiseLimits noise_limits(const BenchArguments& a, bool remote);

/// A run of the model named `suite`, from the arguments.
suites::BenchRun bench_run(const BenchArguments& a, const BenchModel& model,
                           const std::string& suite, Json definition);

/// Calls `command` as the only process, or as rank 0 of those that hold the model together.
template <typename Arguments>
ExitCode bench_on_processes(Arguments a, ExitCode (*command)(const Arguments&)) {
  return with_processes(a.launcher, a.engine.threads, [&](engine::ProcessGroup* group) {
    a.engine.processes = group;
    a.engine.tp = ranks_of(group, a.engine.tp);
    return command(a);
  });
}

/// Stores, prints, and gives the exit code.
ExitCode finish_bench(const BenchArguments& a, const suites::BenchRun& run,
                      suites::Measured measured);

/// Of every case, its headline figures with their intervals.
void print_cases(const std::vector<store::BenchCaseRecord>& cases);

// The subcommands, each in its own file.
void add_bench_latency(CLI::App& bench, Chosen& chosen);
void add_bench_throughput(CLI::App& bench, Chosen& chosen);
void add_bench_serve(CLI::App& bench, Chosen& chosen);
void add_bench_kernels(CLI::App& bench, Chosen& chosen);
void add_bench_exchange(CLI::App& bench, Chosen& chosen);

}  // namespace assay::cli
