// assay extract TASK: the answer extractor alone; needs no data set.
#include <fmt/format.h>

#include <memory>

#include "cli/command.h"
#include "cli/commands.h"
#include "suites/score_file.h"

namespace assay::cli {

void add_extract(CLI::App& app, Chosen& chosen) {
  CLI::App* command = app.add_subcommand("extract", "Print the answer found in each response");
  auto options = std::make_shared<suites::ScoreFileOptions>();
  command->add_option("TASK", options->task, "Task, as in gsm8k or mmlu@meta-cot")->required();
  command->add_option("--responses", options->responses, "JSON Lines: {\"id\", \"response\"}")
      ->required();
  command->add_option("--protocol", options->protocol, "Protocol; default: the one in TASK");
  command->add_option("--answer-after", options->answer_after,
                      "The answer stands after the last occurrence of this text");
  auto json = std::make_shared<bool>(true);  // the output is JSON Lines with or without it
  command->add_flag("--json", *json, "JSON Lines on stdout (always so)");
  command->callback([&chosen, options, json] {
    chosen.action = [options] {
      for (const Json& line : suites::extract_file(*options)) fmt::print("{}\n", line.dump());
      return ExitCode::kOk;
    };
  });
}

}  // namespace assay::cli
