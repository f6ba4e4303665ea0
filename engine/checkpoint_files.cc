#include "engine/checkpoint_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <regex>
#include <string_view>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "engine/safetensors.h"

namespace assay::engine {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMaxIndexBytes = std::uint64_t{256} << 20;
constexpr const char* kIndexName = "model.safetensors.index.json";

std::string shown(const fs::path& path) { return escaped(path.string(), 400); }

std::vector<fs::path> files_ending_with(const fs::path& folder, std::string_view ending) {
  std::vector<fs::path> out;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().filename().string().ends_with(ending)) out.push_back(entry.path());
  }
  std::sort(out.begin(), out.end());
  return out;
}

bool is_plain_name(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.size() <= 255 &&
         name.find_first_of(std::string_view("/\\\0", 3)) == std::string_view::npos;
}

/// A link may lead elsewhere in the folder, or from snapshots/REVISION to the cache's blobs/.
void check_link(const fs::path& folder, const fs::path& file) {
  std::error_code code;
  const fs::path root = fs::canonical(folder, code);
  const fs::path target = fs::canonical(file, code);
  if (code) throw_input("{}: cannot be resolved: {}", shown(file), code.message());
  if (target.parent_path() == root) return;
  const fs::path cache = root.parent_path().parent_path();
  if (root.parent_path().filename() == "snapshots" && target.parent_path() == cache / "blobs") {
    return;
  }
  throw_input("{}: is a link out of the model folder (to {}): copy the file there", shown(file),
              shown(target));
}

fs::path checked_shard(const fs::path& folder, const std::string& name) {
  const fs::path path = folder / name;
  if (!fs::exists(path)) {
    throw_input("{}: this shard is missing: the download is not complete", shown(path));
  }
  check_link(folder, path);
  return path;
}

/// Names every tensor's file, from model.safetensors.index.json.
std::vector<ShardFile> shards_from_index(const fs::path& folder) {
  const fs::path path = folder / kIndexName;
  const std::string text = read_file(path, kMaxIndexBytes);
  const std::string foreign = describe_foreign_file(std::string_view(text).substr(0, 512));
  if (!foreign.empty()) throw_input("{}: {}", shown(path), foreign);
  const Json json = parse_json(text, shown(path), {.max_bytes = kMaxIndexBytes});
  const Json* map = json.find("weight_map");
  if (map == nullptr || !map->is_object() || map->as_object().empty()) {
    throw_input("{}: no \"weight_map\" that names the file of each tensor", shown(path));
  }
  std::map<std::string, std::vector<std::string>> files;
  for (const auto& [tensor, file] : map->as_object()) {
    if (!file.is_string() || !is_plain_name(file.as_string())) {
      throw_input("{}: weight_map: tensor \"{}\": {} is no plain file name", shown(path),
                  escaped(tensor, 120), escaped(file.dump(), 120));
    }
    files[file.as_string()].push_back(tensor);
  }
  std::vector<ShardFile> out;
  for (auto& [name, tensors] : files) {
    out.push_back({checked_shard(folder, name), std::move(tensors)});
  }
  return out;
}

[[noreturn]] void throw_no_weights(const fs::path& folder) {
  for (const char* ending : {".bin", ".pth", ".pt"}) {
    const auto found = files_ending_with(folder, ending);
    if (!found.empty()) {
      throw_input(
          "{}: is a PyTorch pickle, which can run code and is never read: convert the "
          "checkpoint to safetensors",
          shown(found.front()));
    }
  }
  const auto gguf = files_ending_with(folder, ".gguf");
  if (!gguf.empty()) {
    throw_input("{}: is a GGUF file: only Hugging Face checkpoints in safetensors format are read",
                shown(gguf.front()));
  }
  throw_input("{}: no *.safetensors file in this folder", shown(folder));
}

/// NAME-00001-of-00005.safetensors: all five must be there, and nothing else.
std::vector<ShardFile> shards_from_names(const fs::path& folder) {
  const std::vector<fs::path> files = files_ending_with(folder, ".safetensors");
  if (files.empty()) throw_no_weights(folder);
  static const std::regex kNumbered("(.*)-([0-9]{5})-of-([0-9]{5})\\.safetensors");
  std::smatch match;
  const std::string first = files.front().filename().string();
  if (!std::regex_match(first, match, kNumbered)) {
    if (files.size() == 1) return {{checked_shard(folder, first), std::nullopt}};
    throw_input("{}: {} safetensors files ({}, {} ...) and no {} that says which belong together",
                shown(folder), files.size(), shown(files[0].filename()), shown(files[1].filename()),
                kIndexName);
  }
  const std::string family = match[1];
  const std::string count_text = match[3];
  const std::int64_t count =
      parse_int(count_text.substr(std::min<std::size_t>(count_text.find_first_not_of('0'), 4)))
          .value_or(0);
  std::vector<ShardFile> out;
  for (std::int64_t i = 1; i <= count; ++i) {
    const std::string name = fmt::format("{}-{:05}-of-{}.safetensors", family, i, count_text);
    out.push_back({checked_shard(folder, name), std::nullopt});
  }
  if (out.size() != files.size()) {
    throw_input("{}: {} safetensors files, but {} says that there are {}", shown(folder),
                files.size(), escaped(first, 120), count);
  }
  return out;
}

}  // namespace

void check_model_folder(const fs::path& folder) {
  std::error_code code;
  if (!fs::exists(folder, code)) throw_input("{}: no such folder", shown(folder));
  if (!fs::is_directory(folder, code)) {
    throw_input("{}: is a file; --model takes the folder that holds config.json", shown(folder));
  }
  if (fs::exists(folder / "config.json", code)) return;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.is_directory() && fs::exists(entry.path() / "config.json", code)) {
      throw_input("{}: no config.json here; did you mean {}?", shown(folder), shown(entry.path()));
    }
  }
  throw_input("{}: no config.json: this is not the folder of a Hugging Face checkpoint",
              shown(folder));
}

std::vector<ShardFile> find_shards(const fs::path& folder) {
  if (fs::exists(folder / kIndexName)) return shards_from_index(folder);
  if (fs::exists(folder / "model.safetensors")) {
    return {{checked_shard(folder, "model.safetensors"), std::nullopt}};
  }
  return shards_from_names(folder);
}

}  // namespace assay::engine
