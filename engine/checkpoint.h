// A Hugging Face checkpoint folder, mapped: configuration and tensors, all checked.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "engine/model_config.h"
#include "engine/quant_config.h"
#include "engine/safetensors.h"

namespace assay::engine {

/// A tensor in a mapped file; valid as long as its Checkpoint.
struct TensorView {
  std::string name;
  DType dtype = DType::kBf16;
  std::vector<std::int64_t> shape;   // row-major; matrices are [out_features, in_features]
  std::span<const std::byte> bytes;  // little-endian, perhaps not aligned for the type: use memcpy
};

class Checkpoint {
 public:
  /// Opens `folder`: config.json, then model.safetensors, or the shards that
  /// model.safetensors.index.json or their file names list. Checks that every tensor the
  /// configuration implies is there with its shape, in BF16, F16 or F32, or, where the
  /// quantization config says so, as its codes and scales; a missing, extra or misnamed scale is an
  /// error.
  /// Throws: Error(kInput) naming file, tensor or key, reason and what to do.
  static Checkpoint open(const std::filesystem::path& folder);

  [[nodiscard]] const ModelConfig& config() const { return config_; }
  [[nodiscard]] const QuantConfig& quantization() const { return quantization_; }
  /// How the module is stored, groups of all inputs resolved; nothing: in BF16, F16 or F32.
  [[nodiscard]] std::optional<StoredScheme> scheme_of(const std::string& module,
                                                      std::int64_t cols) const;
  [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }
  /// nullptr when there is no tensor of that name.
  [[nodiscard]] const TensorView* find(std::string_view name) const;
  /// Throws: Error(kInput) when there is no tensor of that name.
  [[nodiscard]] const TensorView& at(std::string_view name) const;
  /// All tensors, by name.
  [[nodiscard]] std::span<const TensorView> tensors() const { return tensors_; }
  /// Names of tensors that the model does not use, in order; also logged once as a warning.
  [[nodiscard]] const std::vector<std::string>& unused() const { return unused_; }
  /// Bytes of all tensors.
  [[nodiscard]] std::int64_t tensor_bytes() const;

  /// SHA-256 over configuration, tokenizer files, tensor names, types and shapes, and tensor data.
  /// Independent of sharding and of the order in files. Reads every byte of the weights, on
  /// `threads` threads (0: all cores).
  [[nodiscard]] std::string digest(int threads = 0) const;
  /// The same without the data: what is cheap to compute for any size.
  [[nodiscard]] std::string header_digest() const;

  /// Throws: Error(kInput) when a mapped file has changed in size or time since it was opened.
  /// Call after the weights have been copied.
  void check_unchanged() const;
  /// Gives back the memory of what was read of the files; reading again brings it back.
  void release_pages() const;

 private:
  struct Shard {
    MappedFile file;
    std::filesystem::file_time_type modified;
  };
  Checkpoint() = default;
  void add_shard(const std::filesystem::path& path, const std::vector<std::string>* listed);
  void check_tensors();
  void check_plain(const TensorSpec& spec, std::vector<std::string>& missing) const;
  void check_stored(const StoredTensor& wanted, std::vector<std::string>& missing) const;
  void check_unknown(const std::vector<std::string>& known);
  [[nodiscard]] std::string data_digest(const TensorView& tensor) const;
  [[nodiscard]] std::string digest_with(std::span<const std::string> data_digests) const;

  std::filesystem::path folder_;
  ModelConfig config_;
  QuantConfig quantization_;
  std::vector<Shard> shards_;
  std::vector<TensorView> tensors_;  // sorted by name
  std::vector<std::string> unused_;
};

}  // namespace assay::engine
