#include "cli/sandbox_option.h"

namespace assay::cli {

evals::SandboxOptions SandboxChoice::options(int parallel) const {
  evals::SandboxLevel kind = evals::SandboxLevel::kFull;
  if (level == "reduced") kind = evals::SandboxLevel::kReduced;
  if (unsafe_exec) kind = evals::SandboxLevel::kUnsafe;
  return {.level = kind, .parallel = parallel, .interpreter = python};
}

void add_sandbox_options(CLI::App& command, SandboxChoice& choice) {
  command
      .add_option("--sandbox", choice.level,
                  "For model-written code: full, or reduced where the machine denies namespaces")
      ->check(CLI::IsMember({"full", "reduced"}));
  command.add_option("--python", choice.python, "Python that runs model-written code");
  command.add_flag("--unsafe-exec", choice.unsafe_exec,
                   "Run model-written code WITHOUT a sandbox; only where nothing can be harmed");
}

}  // namespace assay::cli
