#include "engine/checkpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <optional>
#include <thread>
#include <utility>

#include "base/digest.h"
#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "engine/checkpoint_files.h"
#include "engine/stored_codes.h"

namespace assay::engine {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxNamesShown = 12;

std::string shown(const fs::path& path) { return escaped(path.string(), 400); }

std::string shortened(std::vector<std::string> names) {
  const std::size_t count = names.size();
  for (std::string& name : names) name = escaped(name, 100);
  if (count > kMaxNamesShown) {
    names.resize(kMaxNamesShown);
    names.push_back(fmt::format("and {} more", count - kMaxNamesShown));
  }
  return join(names, ", ");
}

bool is_plain_float(DType dtype) {
  return dtype == DType::kBf16 || dtype == DType::kF16 || dtype == DType::kF32;
}

/// Tensors that exports carry beside the model's own and that mean nothing.
bool is_expected_extra(const ModelConfig& config, std::string_view name) {
  return name.ends_with(".rotary_emb.inv_freq") || (config.tied && name == "lm_head.weight");
}

/// A tensor that only quantized modules have: unread, it would be a changed model.
bool looks_quantized(std::string_view name) {
  const std::string_view last = name.substr(name.rfind('.') + 1);
  for (const std::string_view part : {"scale", "zero", "packed", "qweight", "g_idx"}) {
    if (last.find(part) != std::string_view::npos) return true;
  }
  return false;
}

/// Words of eight codes need whole words in the direction that they are packed in.
void check_divisible(const StoredScheme& scheme, const std::string& module,
                     const std::vector<std::int64_t>& shape, const std::string& folder) {
  const bool gptq = scheme.packing == CodePacking::kGptq;
  const bool awq = scheme.packing == CodePacking::kAwq;
  if ((gptq || awq) && (shape[0] % 8 != 0 || (gptq && shape[1] % 8 != 0))) {
    throw_input("{}: {}: {} x {} cannot be packed eight to a word", folder, module, shape[0],
                shape[1]);
  }
}

bool is_kv_scale(std::string_view name) {
  return std::any_of(kv_scale_names().begin(), kv_scale_names().end(),
                     [&](const std::string& known) { return name.ends_with("." + known); });
}

}  // namespace

Checkpoint Checkpoint::open(const fs::path& folder) {
  check_model_folder(folder);
  Checkpoint out;
  out.folder_ = folder;
  out.config_ = load_model_config(folder);
  out.quantization_ = QuantConfig(out.config_, shown(folder));
  for (const ShardFile& shard : find_shards(folder)) {
    out.add_shard(shard.path, shard.tensors ? &*shard.tensors : nullptr);
  }
  std::sort(out.tensors_.begin(), out.tensors_.end(),
            [](const TensorView& a, const TensorView& b) { return a.name < b.name; });
  const auto twice =
      std::adjacent_find(out.tensors_.begin(), out.tensors_.end(),
                         [](const auto& a, const auto& b) { return a.name == b.name; });
  if (twice != out.tensors_.end()) {
    throw_input("{}: tensor \"{}\" stands in two files", shown(folder), escaped(twice->name, 120));
  }
  out.check_tensors();
  return out;
}

void Checkpoint::add_shard(const fs::path& path, const std::vector<std::string>* listed) {
  Shard shard{MappedFile(path), fs::last_write_time(path)};
  const SafetensorsHeader header = parse_safetensors(shard.file.bytes(), shown(path));
  std::vector<std::string> present;
  for (const TensorEntry& entry : header.tensors) {
    present.push_back(entry.name);
    const auto begin = static_cast<std::size_t>(entry.begin);
    const auto size = static_cast<std::size_t>(entry.end - entry.begin);
    tensors_.push_back(
        {entry.name, entry.dtype, entry.shape, shard.file.bytes().subspan(begin, size)});
  }
  if (listed != nullptr) {
    std::sort(present.begin(), present.end());
    for (const std::string& name : *listed) {
      if (!std::binary_search(present.begin(), present.end(), name)) {
        throw_input("{}: tensor \"{}\" is not in this file, but the index says so", shown(path),
                    escaped(name, 120));
      }
    }
  }
  shards_.push_back(std::move(shard));
}

std::optional<StoredScheme> Checkpoint::scheme_of(const std::string& module,
                                                  std::int64_t cols) const {
  std::optional<StoredScheme> scheme = quantization_.scheme_of(module);
  if (scheme && scheme->format.group < 0) scheme->format.group = cols;
  return scheme;
}

void Checkpoint::check_plain(const TensorSpec& spec, std::vector<std::string>& missing) const {
  const TensorView* tensor = find(spec.name);
  if (tensor == nullptr) {
    missing.push_back(spec.name);
    return;
  }
  if (tensor->shape != spec.shape) {
    throw_input("{}: tensor \"{}\" has shape [{}], config.json implies [{}]", shown(folder_),
                spec.name, fmt::join(tensor->shape, ", "), fmt::join(spec.shape, ", "));
  }
  if (!is_plain_float(tensor->dtype)) {
    throw_input(
        "{}: tensor \"{}\" is {} and no quantization config says that it is quantized: BF16, F16 "
        "or F32 was expected",
        shown(folder_), spec.name, dtype_name(tensor->dtype));
  }
}

void Checkpoint::check_stored(const StoredTensor& wanted, std::vector<std::string>& missing) const {
  const TensorView* tensor = find(wanted.name);
  if (tensor == nullptr) {
    if (wanted.required) missing.push_back(wanted.name);
    return;
  }
  if (std::find(wanted.types.begin(), wanted.types.end(), tensor->dtype) == wanted.types.end()) {
    throw_input("{}: tensor \"{}\" is {}, the quantization config implies {}", shown(folder_),
                wanted.name, dtype_name(tensor->dtype), dtype_name(wanted.types.front()));
  }
  if (std::find(wanted.shapes.begin(), wanted.shapes.end(), tensor->shape) == wanted.shapes.end()) {
    throw_input("{}: tensor \"{}\" has shape [{}], the quantization config implies [{}]",
                shown(folder_), wanted.name, fmt::join(tensor->shape, ", "),
                fmt::join(wanted.shapes.front(), ", "));
  }
}

void Checkpoint::check_tensors() {
  std::vector<std::string> missing;
  std::vector<std::string> known;
  constexpr std::string_view kWeight = ".weight";
  for (const TensorSpec& spec : expected_tensors(config_)) {
    std::optional<StoredScheme> scheme;
    std::string module = spec.name;
    if (spec.shape.size() == 2 && spec.name.ends_with("_proj.weight")) {
      module.resize(module.size() - kWeight.size());
      scheme = scheme_of(module, spec.shape[1]);
    } else if (spec.name == "lm_head.weight") {
      module = "lm_head";
      scheme = scheme_of(module, spec.shape[1]);
    }
    if (!scheme) {
      known.push_back(spec.name);
      check_plain(spec, missing);
      continue;
    }
    check_divisible(*scheme, module, spec.shape, shown(folder_));
    for (const StoredTensor& wanted :
         stored_tensors(*scheme, module, spec.shape[0], spec.shape[1])) {
      known.push_back(wanted.name);
      check_stored(wanted, missing);
    }
    for (const std::string& suffix : scheme->ignored) known.push_back(module + "." + suffix);
  }
  if (!missing.empty()) {
    throw_input("{}: {} tensors are missing: {}", shown(folder_), missing.size(),
                shortened(missing));
  }
  std::sort(known.begin(), known.end());
  check_unknown(known);
}

void Checkpoint::check_unknown(const std::vector<std::string>& known) {
  for (const TensorView& tensor : tensors_) {
    if (std::binary_search(known.begin(), known.end(), tensor.name) ||
        is_expected_extra(config_, tensor.name) || is_kv_scale(tensor.name)) {
      continue;
    }
    if (looks_quantized(tensor.name)) {
      throw_input(
          "{}: tensor \"{}\" belongs to no matrix that the quantization config describes: a scale "
          "that is left out would change the model",
          shown(folder_), escaped(tensor.name, 120));
    }
    unused_.push_back(tensor.name);
  }
  if (!unused_.empty()) {
    log_warning("{}: tensors that this model does not use: {}", shown(folder_), shortened(unused_));
  }
}

const TensorView* Checkpoint::find(std::string_view name) const {
  const auto found = std::lower_bound(
      tensors_.begin(), tensors_.end(), name,
      [](const TensorView& tensor, std::string_view wanted) { return tensor.name < wanted; });
  return found != tensors_.end() && found->name == name ? &*found : nullptr;
}

const TensorView& Checkpoint::at(std::string_view name) const {
  const TensorView* tensor = find(name);
  if (tensor == nullptr) {
    throw_input("{}: no tensor \"{}\"", shown(folder_), escaped(name, 120));
  }
  return *tensor;
}

std::int64_t Checkpoint::tensor_bytes() const {
  std::int64_t sum = 0;
  for (const TensorView& tensor : tensors_) sum += static_cast<std::int64_t>(tensor.bytes.size());
  return sum;
}

std::string Checkpoint::data_digest(const TensorView& tensor) const {
  constexpr std::size_t kPiece = std::size_t{32} << 20;  // read before its memory is given back
  Sha256 digest;
  for (std::size_t at = 0; at < tensor.bytes.size(); at += kPiece) {
    const auto piece = tensor.bytes.subspan(at, std::min(kPiece, tensor.bytes.size() - at));
    digest.update({reinterpret_cast<const char*>(piece.data()), piece.size()});
    release_pages();
  }
  return digest.hex();
}

std::string Checkpoint::digest(int threads) const {
  const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
  const std::size_t workers = threads > 0 ? static_cast<std::size_t>(threads) : cores;
  std::vector<std::string> digests(tensors_.size());
  std::atomic<std::size_t> next{0};
  const auto work = [&] {
    for (std::size_t i = next++; i < tensors_.size(); i = next++) {
      digests[i] = data_digest(tensors_[i]);
    }
  };
  std::vector<std::jthread> pool;
  for (std::size_t i = 1; i < std::min(workers, tensors_.size()); ++i) pool.emplace_back(work);
  work();
  pool.clear();  // joins
  release_pages();
  check_unchanged();
  return digest_with(digests);
}

void Checkpoint::release_pages() const {
  for (const Shard& shard : shards_) shard.file.release_pages();
}

std::string Checkpoint::header_digest() const { return digest_with({}); }

std::string Checkpoint::digest_with(std::span<const std::string> data_digests) const {
  Sha256 digest;
  digest.update_field(data_digests.empty() ? "assay checkpoint headers 1" : "assay checkpoint 1");
  for (const char* name : kIdentityFiles) {
    if (!fs::exists(folder_ / name)) continue;
    digest.update_field(name);
    digest.update_field(read_file(folder_ / name));
  }
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    digest.update_field(tensors_[i].name);
    digest.update_field(dtype_name(tensors_[i].dtype));
    digest.update_field(fmt::format("{}", fmt::join(tensors_[i].shape, ",")));
    if (!data_digests.empty()) digest.update_field(data_digests[i]);
  }
  return digest.hex();
}

void Checkpoint::check_unchanged() const {
  for (const Shard& shard : shards_) {
    std::error_code code;
    const std::uintmax_t size = fs::file_size(shard.file.path(), code);
    const bool same = !code && size == shard.file.bytes().size() &&
                      fs::last_write_time(shard.file.path(), code) == shard.modified && !code;
    if (!same) {
      throw_input("{}: was changed while it was read: start again when it is complete",
                  shown(shard.file.path()));
    }
  }
}

}  // namespace assay::engine
