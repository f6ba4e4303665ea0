#include "suites/point_bench.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/log.h"
#include "engine/parallel/thread_team.h"
#include "suites/bench/record.h"
#include "suites/interrupt.h"

namespace assay::suites {
namespace {

int threads_of(const store::RunRecord& run) {
  const Json* threads = run.engine.find("threads");
  const std::int64_t given = threads != nullptr && threads->is_int() ? threads->as_int() : 0;
  return given > 0 ? static_cast<int>(given) : engine::usable_cores();
}

std::optional<engine::Roofline> roofline_of(const store::RunRecord& run) {
  if (run.device == "cuda") return engine::measure_gpu_roofline();
  if (run.device != "cpu") return std::nullopt;
  return engine::measure_cpu_roofline(threads_of(run));
}

}  // namespace

void bench_point(store::Store& store, const store::RunRecord& run,
                 std::unique_ptr<engine::Session> session, const SessionMaker& make, bool served,
                 const SuiteBench& bench) {
  SteadyLoadClock clock;
  BenchTarget target{.session = session.get(),
                     .clock = &clock,
                     .roofline = served ? std::nullopt : roofline_of(run),
                     .seed = run.seed};
  MeasureOptions options{.starts = make ? bench.starts : 1, .reps = bench.reps};
  if (options.reps == 0) options.reps = options.starts > 1 ? kUsualRepsOfStart : kUsualReps;
  options.restart = [&] {
    target.session = nullptr;
    session.reset();  // two models may not fit
    session = make();
    target.session = session.get();
  };
  options.noise = bench.noise;
  options.noise.foreign_counts = !served;
  std::optional<engine::SpeedProbe> probe;
  if (!served && run.device == "cpu" && make) {
    probe.emplace(threads_of(run));
    options.machine_speed = [&] { return probe->measure(); };
  }
  options.progress = [](const std::string& line) { log_info("{}", line); };
  Measured measured = measure_cases(suite_cases(target, bench), options);
  if (measured.interrupted) {
    throw Error(interrupt_kind(),
                fmt::format("run {} was interrupted while its speed was measured; the same "
                            "command measures it again",
                            run.name));
  }
  for (const std::string& remark : measured.remarks) log_warning("{}", remark);
  if (target.roofline) {
    measured.cases.insert(measured.cases.begin(), roofline_case(*target.roofline));
  }
  store.add_bench(run.row, measured.cases);
}

}  // namespace assay::suites
