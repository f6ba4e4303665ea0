#include "suites/language_data.h"

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <string>
#include <utility>

#include "base/digest.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"

namespace assay::suites {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSentences = "punkt_english.json";
constexpr const char* kProfiles = "langdetect_profiles.json.gz";
constexpr const char* kTables = "langdetect_tables.json";
constexpr const char* kPackageProfiles = "profiles";
constexpr const char* kPackageTables = "utils/messages.properties";
constexpr const char* kPackage = "/usr/lib/python3/dist-packages/langdetect";
// The published files have 0.3 MB (sentences), 7 MB (all profiles) and 0.2 MB (one profile).
constexpr std::uint64_t kMaxBytes = std::uint64_t{64} << 20;
constexpr std::uint64_t kMaxProfileBytes = std::uint64_t{4} << 20;
constexpr std::size_t kMaxLanguages = 512;

bool is_there(const fs::path& path) {
  std::error_code code;  // a folder that may not be entered counts as one without the file
  return fs::exists(path, code);
}

/// Parsing that throws names the file first.
template <typename Parse>
auto parsed(const fs::path& path, const Parse& parse) {
  const std::string name = path.string();
  try {
    return parse(name);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kInput || std::string_view(error.what()).starts_with(name)) {
      throw;
    }
    throw_input("{}: {}", name, error.what());
  }
}

/// Enough of a digest to tell two versions apart.
std::string short_digest(Sha256& digest) { return digest.hex().substr(0, 12); }

std::string described(std::string_view what, const fs::path& path, Sha256& digest) {
  return fmt::format("{} of {} (sha256 {})", what, escaped(path.string(), 400),
                     short_digest(digest));
}

/// What was found, and the words for `status`.
template <typename Part>
struct Found {
  Part part;
  std::string status;
};

std::optional<Found<evals::PunktModel>> sentences_in(const fs::path& folder) {
  const fs::path path = folder / kSentences;
  if (!is_there(path)) return std::nullopt;
  const std::string content = read_file(path, kMaxBytes);
  Sha256 digest;
  digest.update(content);
  return Found<evals::PunktModel>{
      parsed(path,
             [&](const std::string& name) { return evals::parse_punkt_model(content, name); }),
      described("Punkt model", path, digest)};
}

std::optional<Found<evals::LanguageProfiles>> packed_profiles_in(const fs::path& folder) {
  const fs::path path = folder / kProfiles;
  if (!is_there(path)) return std::nullopt;
  const std::string profiles = read_file_gunzip(path, kMaxBytes);
  const fs::path table_path = folder / kTables;
  const std::string content = read_file(table_path, kMaxBytes);
  evals::LanguageTables tables = parsed(table_path, [&](const std::string& name) {
    return evals::parse_language_tables(parse_json(content, name), name);
  });
  Sha256 digest;
  digest.update_field(profiles);
  digest.update_field(content);
  evals::LanguageProfiles part = parsed(path, [&](const std::string& name) {
    return evals::parse_language_profiles(profiles, std::move(tables), name);
  });
  const std::string what = fmt::format("{} langdetect profiles", part.languages().size());
  return Found<evals::LanguageProfiles>{std::move(part), described(what, path, digest)};
}

/// The names of the files in `profiles/`, sorted: one file a language.
std::vector<std::string> package_languages(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code code;
  for (fs::directory_iterator it(folder, code), end; !code && it != end; it.increment(code)) {
    std::string name = it->path().filename().string();
    if (!name.starts_with('.') && !name.starts_with("__")) names.push_back(std::move(name));
    if (names.size() > kMaxLanguages) {
      throw_input("{}: more than {} profiles", folder.string(), kMaxLanguages);
    }
  }
  if (code) throw_input("{}: cannot be listed: {}", folder.string(), code.message());
  if (names.empty()) throw_input("{}: no profiles; expected one file a language", folder.string());
  std::sort(names.begin(), names.end());
  return names;
}

std::optional<Found<evals::LanguageProfiles>> package_profiles_in(const fs::path& folder) {
  const fs::path profiles = folder / kPackageProfiles;
  if (!is_there(profiles)) return std::nullopt;
  const std::vector<std::string> names = package_languages(profiles);
  const fs::path table_path = folder / kPackageTables;
  const std::string tables = read_file(table_path, kMaxBytes);
  Sha256 digest;
  evals::LanguageProfiles part(parsed(table_path,
                                      [&](const std::string& name) {
                                        return evals::parse_language_properties(tables, name);
                                      }),
                               names);
  for (std::size_t i = 0; i < names.size(); ++i) {
    const fs::path path = profiles / names[i];
    const std::string content = read_file(path, kMaxProfileBytes);
    digest.update_field(content);
    parsed(path, [&](const std::string& name) {
      part.add(i, parse_json(content, name), name);
      return true;
    });
  }
  digest.update_field(tables);
  part.finish();
  const std::string what = fmt::format("{} langdetect profiles", names.size());
  return Found<evals::LanguageProfiles>{std::move(part), described(what, profiles, digest)};
}

std::optional<Found<evals::LanguageProfiles>> profiles_in(const fs::path& folder) {
  auto found = packed_profiles_in(folder);
  return found ? std::move(found) : package_profiles_in(folder);
}

}  // namespace

LanguageFolders language_folders(const fs::path& data) {
  LanguageFolders folders;
  if (const char* named = std::getenv("ASSAY_LANGUAGE_DATA"); named != nullptr) {
    folders.named = named;
  }
  if (!data.empty()) folders.others.push_back(data / "language_data");
  folders.others.emplace_back(kPackage);
  return folders;
}

std::unique_ptr<const evals::LanguageData> load_language_data(const LanguageFolders& folders) {
  std::optional<Found<evals::PunktModel>> sentences;
  std::optional<Found<evals::LanguageProfiles>> profiles;
  if (!folders.named.empty()) {
    sentences = sentences_in(folders.named);
    profiles = profiles_in(folders.named);
    if (!sentences && !profiles) {
      throw_input("ASSAY_LANGUAGE_DATA: {}: no {}, no {} and no langdetect package in this folder",
                  folders.named.string(), kSentences, kProfiles);
    }
  }
  for (const fs::path& folder : folders.others) {
    if (!sentences) sentences = sentences_in(folder);
    if (!profiles) profiles = profiles_in(folder);
  }
  auto data = std::make_unique<evals::LanguageData>();
  data->status =
      fmt::format("sentences: {}; languages: {}",
                  sentences ? sentences->status : "ICU rules, as no Punkt model was found",
                  profiles ? profiles->status : "CLD2, as no langdetect profiles were found");
  if (sentences) data->punkt = std::move(sentences->part);
  if (profiles) data->profiles = std::move(profiles->part);
  return data;
}

bool uses_language_data(std::string_view benchmark) { return benchmark == "ifeval"; }

std::unique_ptr<const evals::LanguageData> language_data_for(const Suite& suite,
                                                             const fs::path& data) {
  const bool used = std::ranges::any_of(
      suite.tasks, [](const SuiteTask& task) { return uses_language_data(task.task); });
  return used ? load_language_data(language_folders(data)) : nullptr;
}

}  // namespace assay::suites
