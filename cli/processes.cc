#include "cli/processes.h"

#include <algorithm>
#include <memory>
#include <optional>

#include "cli/version.h"
#include "engine/generators/local_model.h"
#include "engine/parallel/launch.h"
#include "suites/interrupt.h"

namespace assay::cli {
namespace {

ExitCode follow(engine::ProcessGroup& group, int threads) {
  // Ctrl-C reaches every process; rank 0 decides what becomes of the job.
  suites::install_interrupt_handlers();
  const suites::InterruptibleWork working;  // a first signal only notes itself
  try {
    engine::follow_local(group, threads);
  } catch (const engine::GroupEnded& end) {
    return static_cast<ExitCode>(end.code());
  } catch (const std::exception& error) {
    group.report_failure(error.what());
    throw;
  }
}

ExitCode lead_group(engine::ProcessGroup& group,
                    const std::function<ExitCode(engine::ProcessGroup*)>& lead) {
  try {
    const ExitCode code = lead(&group);
    group.finish(static_cast<int>(code), "");
    return code;
  } catch (const Error& error) {
    group.finish(static_cast<int>(error.exit_code()), error.what());
    throw;
  } catch (const std::exception& error) {
    group.finish(static_cast<int>(ExitCode::kBug), error.what());
    throw;
  }
}

}  // namespace

void add_launcher_option(CLI::App& command, std::string& launcher) {
  command
      .add_option("--launcher", launcher,
                  "Who started the processes: auto, none, assay, torchrun, mpi or slurm")
      ->envname("ASSAY_LAUNCHER")
      ->capture_default_str();
}

ExitCode with_processes(const std::string& launcher, int threads,
                        const std::function<ExitCode(engine::ProcessGroup*)>& lead) {
  const auto launch = engine::read_launch(engine::process_environment, launcher);
  if (!launch) return lead(nullptr);
  const auto options = engine::group_options(engine::process_environment,
                                             std::string(kVersion) + " " + git_commit());
  const auto group = engine::ProcessGroup::join(*launch, options);
  return launch->rank == 0 ? lead_group(*group, lead) : follow(*group, threads);
}

int ranks_of(const engine::ProcessGroup* processes, int tp) {
  return processes == nullptr ? tp : std::max(tp, processes->size());
}

}  // namespace assay::cli
