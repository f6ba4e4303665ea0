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

std::vector<std::string> option_names(const CLI::App& command) {
  std::vector<std::string> out;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) out.push_back("--" + name);
  }
  return out;
}

/// Follows the subcommands that stand on the command line, to the help that explains the error; one
/// that is misspelt, or an option, is named with a suggestion.
std::string usage_message(const CLI::App& app, const CLI::ParseError& error,
                          const std::vector<std::string>& words) {
  const CLI::App* command = &app;
  std::string path;  // "bench latency"
  std::size_t next = 0;
  for (; next < words.size() && !words[next].starts_with('-'); ++next) {
    const std::string& word = words[next];
    std::vector<std::string> names;
    for (const CLI::App* entry : command->get_subcommands({})) names.push_back(entry->get_name());
    if (names.empty()) break;  // an argument
    const std::string before = path.empty() ? "" : path + " ";
    if (std::find(names.begin(), names.end(), word) == names.end()) {
      return "unknown command \"" + before + word + "\"" + assay::suggestion(word, names) +
             "; see assay " + before + "--help";
    }
    command = command->get_subcommand(word);
    path = before + word;
  }
  const std::string where = path.empty() ? "" : path + ": ";
  const std::string see = "; see assay " + (path.empty() ? "" : path + " ") + "--help";
  const std::vector<std::string> options = option_names(*command);
  for (; next < words.size() && words[next] != "--"; ++next) {
    const std::string given = words[next].substr(0, words[next].find('='));
    if (!given.starts_with("--")) continue;
    if (std::find(options.begin(), options.end(), given) != options.end()) continue;
    return where + "unknown option " + given + assay::suggestion(given, options) + see;
  }
  return where + error.what() + see;
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
    return fail(ExitCode::kInput, usage_message(app, error, {argv + 1, argv + argc}));
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
