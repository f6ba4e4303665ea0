// assay: parses the command line, runs the chosen subcommand, turns errors into one line and an
// exit code.
#include <algorithm>
#include <cstdio>
#include <exception>
#include <new>
#include <string>
#include <system_error>
#include <vector>

#include "base/check.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/version.h"
#include "evals/sandbox/sandbox_client.h"

namespace {

using assay::ExitCode;

constexpr const char* kExitCodes =
    "Exit codes: 0 done, gates passed; 1 a gate failed; 2 wrong usage or unusable input, nothing "
    "ran; 3 inconclusive;\n"
    "4 run incomplete; 5 incomparable; 6 environment fault, finished work stored; 70 a bug; "
    "130/143 interrupted, "
    "resumable.";

int fail(ExitCode code, const std::string& message) {
  // A message may quote a hostile file: no control characters, bounded length.
  const std::string line = "assay: " + assay::escaped(assay::without_secrets(message), 4000) + "\n";
  std::fwrite(line.data(), 1, line.size(), stderr);
  return static_cast<int>(code);
}

/// The subcommand that stands on the command line, with a suggestion when it is misspelt.
std::string usage_message(const CLI::App& app, const CLI::ParseError& error, int argc,
                          char** argv) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands({})) names.push_back(command->get_name());
  if (argc > 1 && argv[1][0] != '-') {
    const std::string word = argv[1];
    if (std::find(names.begin(), names.end(), word) == names.end()) {
      return "unknown command \"" + word + "\"" + assay::suggestion(word, names) +
             "; see assay --help";
    }
    const CLI::App* command = app.get_subcommand(word);
    std::vector<std::string> options;
    for (const CLI::Option* option : command->get_options()) {
      for (const std::string& name : option->get_lnames()) options.push_back("--" + name);
    }
    for (int i = 2; i < argc; ++i) {
      const std::string given = std::string(argv[i]).substr(0, std::string(argv[i]).find('='));
      const bool known = std::find(options.begin(), options.end(), given) != options.end();
      if (given.rfind("--", 0) == 0 && !known && !options.empty()) {
        const std::string hint = assay::suggestion(given, options);
        if (!hint.empty()) return word + ": unknown option " + given + hint;
      }
    }
    return word + ": " + error.what() + "; see assay " + word + " --help";
  }
  return std::string(error.what()) + "; see assay --help";
}

/// Commands that may run model-written programs: the process that starts sandboxes is forked while
/// this one has no thread, connection or secret yet.
bool needs_spawner(int argc, char** argv) {
  const std::string command = argc > 1 ? argv[1] : "";
  return command == "run" || command == "score" || command == "doctor";
}

int run(int argc, char** argv) {
  if (needs_spawner(argc, argv)) assay::evals::start_sandbox_spawner(argc, argv);
  CLI::App app{
      "What a quantization setting costs a Llama model in accuracy and what it buys in speed.",
      "assay"};
  app.footer(kExitCodes);
  app.set_version_flag("--version", std::string("assay ") + assay::cli::kVersion + " (" +
                                        assay::cli::git_commit() + ")");
  app.require_subcommand(1);
  app.set_help_all_flag("--help-all", "Help of every subcommand");
  assay::cli::Chosen chosen;
  assay::cli::add_commands(app, chosen);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    return fail(ExitCode::kInput, usage_message(app, error, argc, argv));
  }
  return static_cast<int>(chosen.action());
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const assay::Error& error) {
    return fail(error.exit_code(), error.what());
  } catch (const assay::CheckFailure& error) {
    return fail(ExitCode::kBug,
                std::string("this is a bug in assay, please report it: ") + error.what());
  } catch (const std::bad_alloc&) {
    return fail(ExitCode::kEnvironment, "out of memory");
  } catch (const std::system_error& error) {
    // A thread that could not be started, a folder that cannot be read.
    return fail(ExitCode::kEnvironment, std::string("the system refused: ") + error.what());
  } catch (const std::exception& error) {
    return fail(ExitCode::kBug,
                std::string("this is a bug in assay, please report it: ") + error.what());
  }
}
