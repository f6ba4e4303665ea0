#include "datasets/load.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/digest.h"
#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "datasets/archive.h"
#include "datasets/csv.h"
#include "datasets/limits.h"

namespace assay::datasets {
namespace {

namespace fs = std::filesystem;

bool ends_with_gz(const fs::path& path) { return path.extension() == ".gz"; }

/// The decompressed content of a plain or gzip file.
std::string read_content(const fs::path& path) {
  std::string content = read_file_gunzip(path, kMaxContentBytes);
  const std::uint64_t packed = fs::file_size(path);
  if (ends_with_gz(path) && packed < 18) {  // a gzip header and trailer without any data
    throw_input("{}: corrupt or truncated gzip data", escaped(path.string(), 400));
  }
  if (is_suspicious_ratio(content.size(), packed)) {
    throw_input("{}: unpacks to more than is accepted here ({} bytes out of {})",
                escaped(path.string(), 400), content.size(), packed);
  }
  return content;
}

/// Turns the rows of one file into records and collects what is wrong with them.
class RecordMaker {
 public:
  RecordMaker(const Manifest& manifest, const DataFile& file, std::string source, bool skip_bad)
      : manifest_(manifest), file_(file), source_(std::move(source)), skip_bad_(skip_bad) {}

  /// Adds the record that `make_fields` returns, an object. What it throws belongs to this record.
  template <typename MakeFields>
  void add(std::int64_t line, const MakeFields& make_fields) {
    Record record{.dataset = manifest_.name,
                  .split = file_.split,
                  .group = file_.group,
                  .row = row_++,
                  .file = source_,
                  .line = line};
    try {
      record.fields = make_fields();
      check_fields(record);
      out_.records.push_back(std::move(record));
    } catch (const Error& error) {
      if (!skip_bad_) throw;
      out_.bad.push_back({record.place(), error.what()});
    }
  }

  void set_source(std::string source) { source_ = std::move(source); }
  [[nodiscard]] const std::string& source() const { return source_; }
  LoadedFile take(std::string sha256) {
    out_.sha256 = std::move(sha256);
    return std::move(out_);
  }

 private:
  void check_fields(const Record& record) const {
    if (!record.fields.is_object()) {
      throw_input("{}: a JSON object was expected, this is {}", record.place(),
                  record.fields.type_name());
    }
    for (const std::string& name : file_.required) {
      if (record.fields.find(name) == nullptr) {
        throw_input("{}: \"{}\" is missing", record.place(), name);
      }
    }
  }

  const Manifest& manifest_;
  const DataFile& file_;
  std::string source_;
  bool skip_bad_;
  std::int64_t row_ = 0;
  LoadedFile out_;
};

Json row_fields(const std::vector<std::string>& columns, std::vector<std::string> cells,
                const std::string& place) {
  if (cells.size() != columns.size()) {
    throw_input("{}: {} cells, {} were expected ({})", place, cells.size(), columns.size(),
                escaped(join(columns, ", ")));
  }
  Json::Object fields;
  fields.reserve(cells.size());
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if (!is_valid_utf8(cells[i])) {
      throw_input("{}: column \"{}\" is no valid UTF-8", place, escaped(columns[i]));
    }
    fields.emplace_back(columns[i], std::move(cells[i]));
  }
  return {std::move(fields)};
}

Json text_fields(const std::string& content, const std::string& source) {
  if (!is_valid_utf8(content)) throw_input("{}: is no valid UTF-8", source);
  Json fields;
  fields.set("text", content);
  return fields;
}

/// Calls `visit(line, number)` for each line, without its LF; the last one need not have one.
template <typename Visit>
void for_each_line(std::string_view text, const Visit& visit) {
  std::int64_t number = 1;
  for (std::size_t at = 0; at < text.size(); ++number) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    visit(text.substr(at, end - at), number);
    at = end + 1;
  }
}

void check_line_length(std::string_view line, const std::string& place) {
  if (line.size() > kMaxLineBytes) {
    throw_input("{}: a line longer than the 16 MiB accepted here", place);
  }
}

void read_jsonl(std::string_view text, RecordMaker& maker) {
  for_each_line(text, [&](std::string_view line, std::int64_t number) {
    if (trim_ascii(line).empty()) return;
    maker.add(number, [&] {
      const std::string place = fmt::format("{}:{}", maker.source(), number);
      check_line_length(line, place);
      return parse_json(line, place);
    });
  });
}

void read_tsv(std::string_view text, const DataFile& file, RecordMaker& maker) {
  for_each_line(text, [&](std::string_view line, std::int64_t number) {
    maker.add(number, [&] {
      const std::string place = fmt::format("{}:{}", maker.source(), number);
      check_line_length(line, place);
      const auto parts = split(line, '\t');
      return row_fields(file.columns, {parts.begin(), parts.end()}, place);
    });
  });
}

/// Column names from a header row. Throws for repeated or missing ones.
std::vector<std::string> header_columns(CsvRow header, const DataFile& file,
                                        const std::string& source) {
  for (const std::string& name : file.required) {
    if (std::find(header.cells.begin(), header.cells.end(), name) == header.cells.end()) {
      throw_input("{}:{}: the header has no column \"{}\"{}", source, header.line, name,
                  suggestion(name, header.cells));
    }
  }
  auto sorted = header.cells;
  std::sort(sorted.begin(), sorted.end());
  const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
  if (twice != sorted.end()) {
    throw_input("{}:{}: the header has two columns \"{}\"", source, header.line, escaped(*twice));
  }
  return std::move(header.cells);
}

void read_csv(std::string_view text, const DataFile& file, RecordMaker& maker) {
  CsvReader reader(text, maker.source());
  CsvRow row;
  std::vector<std::string> columns = file.columns;
  if (columns.empty()) {
    if (!reader.next(row)) throw_input("{}: is empty, a header was expected", maker.source());
    columns = header_columns(std::move(row), file, maker.source());
  }
  while (reader.next(row)) {
    maker.add(row.line, [&] {
      return row_fields(columns, std::move(row.cells),
                        fmt::format("{}:{}", maker.source(), row.line));
    });
  }
}

LoadedFile read_archive(const DataFile& file, const fs::path& path, RecordMaker& maker) {
  const std::string archive = maker.source();
  if (file.format == FileFormat::kJsonTar) {
    for (const ArchiveMember& member : read_tar(read_content(path), archive, file.member)) {
      maker.set_source(fmt::format("{}:{}", archive, escaped(member.path)));
      maker.add(0, [&] {
        check_line_length(member.content, maker.source());
        return parse_json(member.content, maker.source());
      });
    }
    return maker.take(sha256_file(path));
  }
  const std::string bytes = read_file(path, kMaxFileBytes);
  const std::string content = read_zip_member(bytes, archive, file.member, file.password);
  maker.set_source(fmt::format("{}:{}", archive, file.member));
  if (file.format == FileFormat::kZipCsv) {
    read_csv(content, file, maker);
  } else {
    maker.add(0, [&] { return parse_json(content, maker.source()); });
  }
  return maker.take(sha256_hex(bytes));
}

/// The files of a split that are to be read: those present of the first source, else of an
/// alternative one.
std::vector<std::pair<const DataFile*, fs::path>> choose_files(const Manifest& manifest,
                                                               const std::string& split,
                                                               const fs::path& folder,
                                                               const std::string& group) {
  std::vector<std::pair<const DataFile*, fs::path>> chosen;
  std::vector<std::string> splits;
  bool split_known = false;
  for (const DataFile& file : manifest.files) {
    splits.push_back(file.split);
    if (file.split != split) continue;
    split_known = true;
    if (!group.empty() && file.group != group) continue;
    const auto same_place = [&](const auto& other) { return other.first->group == file.group; };
    if (file.alternative && std::any_of(chosen.begin(), chosen.end(), same_place)) continue;
    if (const auto path = find_file(file, folder)) {
      chosen.emplace_back(&file, *path);
      continue;
    }
    const bool has_alternative =
        std::any_of(manifest.files.begin(), manifest.files.end(), [&](const DataFile& other) {
          return other.alternative && other.split == split && other.group == file.group &&
                 find_file(other, folder).has_value();
        });
    if (has_alternative || file.alternative) continue;
    throw_input("{}: is missing; get it with: assay datasets fetch {} --data {}",
                escaped((folder / file.path).string(), 400), manifest.name,
                escaped(folder.string(), 400));
  }
  if (!split_known) {
    throw_input("{} has no split \"{}\"{}", manifest.name, escaped(split),
                suggestion(split, splits));
  }
  if (chosen.empty())
    throw_input("{} {} has no group \"{}\"", manifest.name, split, escaped(group));
  return chosen;
}

/// For data sets of somebody's own: the files of a split whose groups are whatever lies there,
/// found by the form of the published names ("mmlu/test/<group>_test.csv"). Empty for data sets
/// without groups.
Manifest own_groups(const Manifest& manifest, const std::string& split, const fs::path& folder) {
  Manifest out = manifest;
  out.files.clear();
  const auto model = std::find_if(
      manifest.files.begin(), manifest.files.end(),
      [&](const DataFile& file) { return file.split == split && !file.group.empty(); });
  if (model == manifest.files.end()) return out;
  const fs::path pattern = folder / model->path;
  const std::string name = pattern.filename().string();
  const std::size_t at = name.find(model->group);
  if (at == std::string::npos) return out;
  const std::string_view before = std::string_view(name).substr(0, at);
  const std::string_view after = std::string_view(name).substr(at + model->group.size());
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(pattern.parent_path(), none)) {
    const std::string found = entry.path().filename().string();
    if (found.size() <= before.size() + after.size() || !found.starts_with(before) ||
        !found.ends_with(after)) {
      continue;
    }
    DataFile file = *model;
    file.path = (fs::path(model->path).parent_path() / found).string();
    file.group = found.substr(before.size(), found.size() - before.size() - after.size());
    out.files.push_back(std::move(file));
  }
  std::sort(out.files.begin(), out.files.end(),
            [](const DataFile& a, const DataFile& b) { return a.group < b.group; });
  return out;
}

}  // namespace

std::string difference(const DataFile& file, const LoadedFile& loaded) {
  const auto count = static_cast<std::int64_t>(loaded.records.size() + loaded.bad.size());
  if (count != file.records) {
    return fmt::format("{} records, {} were published", count, file.records);
  }
  if (loaded.sha256 != file.sha256) {
    return fmt::format("sha256 is {}, published is {}", loaded.sha256, file.sha256);
  }
  return "";
}

std::optional<fs::path> find_file(const DataFile& file, const fs::path& folder) {
  for (const std::string& name : {file.path, file.path + ".gz"}) {
    std::error_code ignored;
    if (fs::exists(folder / name, ignored)) return folder / name;
  }
  return std::nullopt;
}

LoadedFile load_file(const Manifest& manifest, const DataFile& file, const fs::path& path,
                     bool skip_bad) {
  RecordMaker maker(manifest, file, escaped(path.string(), 400), skip_bad);
  if (file.format == FileFormat::kJsonTar || file.format == FileFormat::kZipCsv ||
      file.format == FileFormat::kZipJson) {
    return read_archive(file, path, maker);
  }
  const std::string content = read_content(path);
  switch (file.format) {
    case FileFormat::kJsonl:
      read_jsonl(content, maker);
      break;
    case FileFormat::kJson:
      maker.add(0, [&] { return parse_json(content, maker.source()); });
      break;
    case FileFormat::kText:
      maker.add(0, [&] { return text_fields(content, maker.source()); });
      break;
    case FileFormat::kTsv:
      read_tsv(content, file, maker);
      break;
    default:
      read_csv(content, file, maker);
      break;
  }
  return maker.take(sha256_hex(content));
}

Loaded load_split(const Manifest& manifest, const std::string& split, const fs::path& folder,
                  const LoadOptions& options) {
  Loaded out;
  Sha256 digests;
  const Manifest own = options.custom ? own_groups(manifest, split, folder) : Manifest{};
  const Manifest& used = own.files.empty() ? manifest : own;
  for (const auto& [file, path] : choose_files(used, split, folder, options.group)) {
    const std::string name = escaped(path.string(), 400);
    LoadedFile loaded;
    try {
      loaded = load_file(manifest, *file, path, options.skip_bad);
    } catch (const Error& error) {
      if (!options.skip_bad || error.kind() != ErrorKind::kInput) throw;
      out.bad.push_back({name, error.what()});
      out.published = false;
      continue;
    }
    if (const std::string reason = difference(*file, loaded); !reason.empty()) {
      out.published = false;
      if (options.skip_bad && !options.custom) {
        out.bad.push_back({name, reason});
      } else if (!options.custom) {
        throw_input("{}: {}; fetch it again, or say --custom-data to use it as it is", name,
                    reason);
      }
    }
    digests.update_field(loaded.sha256);
    std::move(loaded.records.begin(), loaded.records.end(), std::back_inserter(out.records));
    std::move(loaded.bad.begin(), loaded.bad.end(), std::back_inserter(out.bad));
  }
  if (out.records.empty()) {
    throw_input("{} {}: no usable record in {}{}", manifest.name, split,
                escaped(folder.string(), 400),
                out.bad.empty() ? "" : "; first fault: " + out.bad.front().reason);
  }
  out.sha256 = digests.hex();
  return out;
}

}  // namespace assay::datasets
