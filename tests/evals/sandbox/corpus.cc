#include "tests/evals/sandbox/corpus.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"

namespace assay::evals {
namespace {

constexpr std::string_view kCase = "#== ";
constexpr std::array<const char*, 8> kWords = {"passed", "failed", "wrong",   "timed_out",
                                               "memory", "killed", "refused", "fault"};

const std::string kOrdinaryTests =
    "def check(candidate):\n"
    "    assert candidate(2) == 3\n"
    "    assert candidate(-1) == 0\n"
    "    assert candidate(41) == 42\n";

std::vector<std::string> outcomes(std::string_view text, const std::string& place) {
  std::vector<std::string> out;
  for (const std::string_view word : split(text, '/')) {
    if (std::find(kWords.begin(), kWords.end(), word) == kWords.end()) {
      throw_input("{}: no outcome: {}", place, word);
    }
    out.emplace_back(word);
  }
  return out;
}

const std::string kOneTest = "def check(candidate):\n    assert candidate(2) == 3\n";

void read_option(HostileCase& out, std::string_view word, const std::string& place) {
  if (word == "once") {
    out.program.test = kOneTest;
    return;
  }
  const std::size_t equal = word.find('=');
  const std::string_view key = word.substr(0, equal);
  if (key == "reduced") {
    out.reduced_outcomes = outcomes(word.substr(equal + 1), place);
    return;
  }
  const auto value =
      equal == std::string_view::npos ? std::nullopt : parse_double(word.substr(equal + 1));
  if (!value) throw_input("{}: no option: {}", place, word);
  if (key == "seconds") {
    out.program.wall_seconds = *value;
  } else if (key == "pad") {
    out.pad = static_cast<std::size_t>(*value);
  } else if (key == "repeat") {
    out.repeat = static_cast<std::size_t>(*value);
  } else {
    throw_input("{}: unknown option {}", place, word);
  }
}

HostileCase read_header(std::string_view line, const std::string& stem) {
  HostileCase out;
  const std::size_t colon = line.find(": ");
  if (colon == std::string_view::npos) throw_input("{}: no outcome: {}", stem, line);
  out.name = stem + "/" + std::string(line.substr(kCase.size(), colon - kCase.size()));
  out.program.entry_point = "f";
  const std::vector<std::string_view> words = split(line.substr(colon + 2), ' ');
  out.outcomes = outcomes(words[0], out.name);
  for (std::size_t i = 1; i < words.size(); ++i) read_option(out, words[i], out.name);
  return out;
}

void read_cases(const std::filesystem::path& path, std::vector<HostileCase>& out) {
  std::string* part = nullptr;
  const std::string text = read_file(path);
  for (const std::string_view line : split(text, '\n')) {
    if (line.substr(0, kCase.size()) == kCase) {
      out.push_back(read_header(line, path.stem()));
      part = &out.back().program.source;
    } else if (part == nullptr) {
      throw_input("{}: begins with no case", path.string());
    } else if (line == "#-- tests") {
      part = &out.back().program.test;
    } else if (line == "#-- reference") {
      part = &out.back().program.reference;
    } else {
      *part += std::string(line) + "\n";
    }
  }
}

}  // namespace

std::string outcome_word(SandboxOutcome outcome) {
  return kWords.at(static_cast<std::size_t>(outcome));
}

std::vector<HostileCase> load_hostile_cases(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename();
    if (name[0] == 's' && entry.path().extension() == ".py") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  std::vector<HostileCase> out;
  for (const std::filesystem::path& file : files) read_cases(file, out);
  const std::string prelude = read_file(folder / "prelude.py");
  for (HostileCase& hostile : out) {
    std::string& source = hostile.program.source;
    const std::string once = source;
    for (std::size_t i = 1; i < hostile.repeat; ++i) source += once;
    // What is judged for its size or its first bytes stands alone.
    if (hostile.pad == 0 && hostile.repeat == 1) source = prelude + source;
    if (hostile.program.test.empty()) hostile.program.test = kOrdinaryTests;
  }
  return out;
}

SandboxProgram filled(const HostileCase& hostile, const std::map<std::string, std::string>& names) {
  static const std::map<std::string, std::string> kBytes = {{"NUL", std::string(1, '\0')},
                                                            {"SURROGATE", "\xed\xa0\x80"},
                                                            {"FF", "\xff"},
                                                            {"BOM", "\xef\xbb\xbf"},
                                                            {"CR", "\r"},
                                                            {"FORMFEED", "\f"},
                                                            {"LS", "\xe2\x80\xa8"}};
  SandboxProgram program = hostile.program;
  for (const auto* table : {&names, &kBytes}) {
    for (const auto& [name, value] : *table) {
      program.source = replace_all(program.source, "@" + name + "@", value);
    }
  }
  if (hostile.pad > 0) {
    program.source += "#" + std::string(hostile.pad - program.source.size() - 2, 'x') + "\n";
  }
  return program;
}

}  // namespace assay::evals
