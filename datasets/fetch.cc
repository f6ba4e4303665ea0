#include "datasets/fetch.h"

#include <algorithm>
#include <optional>
#include <system_error>

#include "base/digest.h"
#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "datasets/archive.h"
#include "datasets/load.h"

namespace assay::datasets {
namespace {

namespace fs = std::filesystem;

bool is_archive(FileFormat format) {
  return format == FileFormat::kJsonTar || format == FileFormat::kZipCsv ||
         format == FileFormat::kZipJson;
}

bool ends_with(std::string_view text, std::string_view ending) {
  return text.size() >= ending.size() && text.substr(text.size() - ending.size()) == ending;
}

/// As DataFile::sha256: of the archive as it lies, else of the plain content.
std::string content_digest(const DataFile& file, const fs::path& path) {
  return is_archive(file.format) ? sha256_file(path)
                                 : sha256_hex(read_file_gunzip(path, kMaxContentBytes));
}

bool is_present(const DataFile& file, const fs::path& folder) {
  const auto path = find_file(file, folder);
  if (!path) return false;
  try {
    return content_digest(file, *path) == file.sha256;
  } catch (const Error&) {
    return false;  // unreadable or damaged: fetched anew
  }
}

void make_parent(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  if (error) {
    throw_environment("{}: cannot be made: {}", escaped(path.parent_path().string(), 400),
                      error.message());
  }
}

void check_digest(const std::string& found, const DataFile& file, const std::string& url) {
  if (found != file.sha256) {
    throw_input("{}: sha256 is {}, published is {}; discarded", escaped(url, 400), found,
                file.sha256);
  }
}

/// A file that is downloaded as such.
void fetch_file(const DataFile& file, const std::string& url, const fs::path& folder,
                const FetchOptions& options) {
  const bool packed = ends_with(url, ".gz") && !ends_with(file.path, ".gz");
  const fs::path target = folder / (file.path + (packed ? ".gz" : ""));
  const fs::path side = target.string() + ".part";
  make_parent(target);
  download(url, side, options.https);
  try {
    check_digest(content_digest(file, side), file, url);
  } catch (const Error&) {
    discard_download(side);  // nothing in it is worth going on with
    throw;
  }
  std::error_code error;
  fs::rename(side, target, error);
  if (error) {
    throw_environment("{}: cannot be put in place: {}", escaped(target.string(), 400),
                      error.message());
  }
  discard_download(side);
  // A damaged file under the other name would be found first.
  if (packed) fs::remove(folder / file.path, error);
}

/// Files that come as members of one archive; each is written once its digest is right.
void fetch_members(const std::vector<const DataFile*>& files, const std::string& url,
                   const fs::path& folder, const FetchOptions& options) {
  const fs::path side = folder / (".download-" + sha256_hex(url).substr(0, 16) + ".part");
  make_parent(side);
  download(url, side, options.https);
  try {
    std::vector<std::string> endings;
    for (const DataFile* file : files) endings.push_back(file->url_member);
    const auto members = read_archive_members(read_file(side, kMaxFileBytes), url, endings);
    for (const DataFile* file : files) {
      const auto member = std::find_if(members.begin(), members.end(), [&](const auto& m) {
        return ends_with("/" + m.path, file->url_member);
      });
      if (member == members.end()) {
        throw_input("{}: has no member {}", escaped(url, 400), file->url_member);
      }
      check_digest(sha256_hex(member->content), *file, url + ":" + member->path);
      make_parent(folder / file->path);
      write_file_atomic(folder / file->path, member->content);
    }
  } catch (const Error&) {
    discard_download(side);
    throw;
  }
  discard_download(side);
}

/// Tries the addresses in turn. Returns why all of them failed, or "".
std::string fetch_group(const std::vector<const DataFile*>& files, const fs::path& folder,
                        const FetchOptions& options) {
  const DataFile& first = *files.front();
  std::vector<std::string> urls = {first.url};
  urls.insert(urls.end(), first.mirrors.begin(), first.mirrors.end());
  std::string reasons;
  for (const std::string& url : urls) {
    if (options.on_start) options.on_start(url);
    try {
      if (first.url_member.empty()) {
        fetch_file(first, url, folder, options);
      } else {
        fetch_members(files, url, folder, options);
      }
      return "";
    } catch (const Error& error) {
      reasons += (reasons.empty() ? "" : "; ") + std::string(error.what());
    }
  }
  return reasons;
}

/// The files to have: one entry a path, without alternatives that are not needed.
std::vector<const DataFile*> wanted_files(const Manifest& manifest) {
  std::vector<const DataFile*> wanted;
  for (const DataFile& file : manifest.files) {
    const auto same_path = [&](const DataFile* other) { return other->path == file.path; };
    if (std::any_of(wanted.begin(), wanted.end(), same_path)) continue;
    const bool first_has_url =
        std::any_of(manifest.files.begin(), manifest.files.end(), [&](const DataFile& other) {
          return !other.alternative && other.split == file.split && other.group == file.group &&
                 !other.url.empty();
        });
    if (file.alternative && (first_has_url || file.url.empty())) continue;
    wanted.push_back(&file);
  }
  return wanted;
}

bool alternative_has_url(const Manifest& manifest, const DataFile& file) {
  return std::any_of(manifest.files.begin(), manifest.files.end(), [&](const DataFile& other) {
    return other.alternative && other.split == file.split && other.group == file.group &&
           !other.url.empty();
  });
}

}  // namespace

std::vector<FetchResult> fetch_dataset(const Manifest& manifest, const fs::path& folder,
                                       const FetchOptions& options) {
  std::vector<FetchResult> results;
  std::vector<const DataFile*> to_fetch;
  for (const DataFile* file : wanted_files(manifest)) {
    if (is_present(*file, folder)) {
      results.push_back({.path = file->path, .state = FetchState::kPresent});
    } else if (!file->url.empty()) {
      to_fetch.push_back(file);
    } else if (!alternative_has_url(manifest, *file)) {
      results.push_back({.path = file->path,
                         .state = FetchState::kNoSource,
                         .reason = "is not published in this form; see docs/datasets.md"});
    }
  }
  while (!to_fetch.empty()) {
    const DataFile& first = *to_fetch.front();
    std::vector<const DataFile*> group = {&first};
    if (!first.url_member.empty()) {
      group.clear();
      std::copy_if(to_fetch.begin(), to_fetch.end(), std::back_inserter(group),
                   [&](const DataFile* file) { return file->url == first.url; });
    }
    const std::string reason = fetch_group(group, folder, options);
    for (const DataFile* file : group) {
      const FetchState state = reason.empty() ? FetchState::kFetched : FetchState::kFailed;
      results.push_back({.path = file->path, .state = state, .reason = reason});
      to_fetch.erase(std::find(to_fetch.begin(), to_fetch.end(), file));
    }
  }
  return results;
}

}  // namespace assay::datasets
