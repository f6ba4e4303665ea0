// Runs a suite: every model in every setting over every task, stored as it goes, resumable.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/generator.h"
#include "engine/numerics.h"
#include "engine/session.h"
#include "evals/benchmark.h"
#include "store/store.h"
#include "suites/plan.h"
#include "suites/progress.h"
#include "suites/suite.h"

namespace assay::suites {

/// Early stopping of one run against a baseline (`assay run --gate`). Tasks are then asked in a
/// seeded random order, block by block (`seeded_blocks` with the run's seed).
struct EarlyStopping {
  std::string baseline;  // kept in the run's inputs, as store::kGateBaseline
  /// Whether a task, of which everything asked so far is stored and scored, needs no more.
  std::function<bool(const store::RunTaskRecord&)> decided;
};

struct RunnerOptions {
  PlanOptions plan;
  bool fresh = false;  // --new: do not continue an earlier, unfinished run
  ProgressStyle progress = ProgressStyle::kNone;
  int score_threads = 2;
  evals::ScoreContext
      scoring;                // sandbox and data of the scorers; protocol and markers are filled in
  std::string language_data;  // for provenance
  std::string label;
  std::string branch;  // of the work under test; "" unless told
  std::string revision;
  store::BuildRecord build;
  std::function<std::unique_ptr<engine::Generator>(const engine::EngineOptions&)> make_generator;
  /// For the suite's measurements of speed; may be empty where it has none.
  std::function<std::unique_ptr<engine::Session>(const engine::EngineOptions&)> make_session;
  bool restarts = true;  // whether it may be called again for several starts of one model
  /// Numeric comparison with the reference, for suites that ask for it; empty: none is made.
  std::function<engine::Numerics(const engine::EngineOptions&, const engine::NumericsOptions&)>
      measure_numerics;
  /// For a run that is about to be stored, or, with the baseline among its inputs, continued; empty
  /// for no early stopping. Throws: what refuses the run before anything is asked.
  std::function<EarlyStopping(const store::RunRecord&, std::span<const store::RunTaskRecord>)>
      early_stopping;
};

/// One model in one setting.
struct RunPoint {
  SuiteModel model;
  Setting setting;
};

struct RunReport {
  std::string run;  // the store's run id
  std::string model;
  std::string setting;
  bool already_done = false;         // finished in an earlier attempt, nothing was asked
  std::vector<std::string> refused;  // tasks that the model cannot be asked
  std::int64_t unscored = 0;         // responses without a verdict, errors included
};

/// Models x settings in the order of the suite.
std::vector<RunPoint> run_points(const Suite& suite);

/// Throws: Error(kInput) before anything ran; Error(kInterrupted / kTerminated) after a signal,
/// with all finished samples stored; Error(kEnvironment) when engine or store are lost, likewise.
std::vector<RunReport> run_suite(const Suite& suite, store::Store& store,
                                 const RunnerOptions& options);

}  // namespace assay::suites
