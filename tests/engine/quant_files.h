// Checkpoints in every public format, made here from its description: tensor names, types, shapes,
// packing and the direction of scales.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/random.h"

namespace assay::engine::test_files {

// Nothing is a multiple of a block, a group or a panel; eight divides what is packed by eight.
constexpr std::int64_t kHidden = 144;

struct Tensor {
  std::string dtype;
  std::vector<std::int64_t> shape;
  std::string bytes;
};

template <typename T>
std::string bytes_of(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

/// Tensors and config of one model, and the values that its matrices stand for.
struct FileModel {
  std::map<std::string, Tensor> tensors;
  std::string quantization;
  std::map<std::string, std::vector<float>> expected;  // by module, [rows, cols]
};

struct MatrixSize {
  std::string module;
  std::int64_t rows, cols;
};
std::vector<MatrixSize> matrices();

std::string random_bf16(SplitMix64& random, std::int64_t count);

/// Writes one matrix's tensors and returns its values.
using Encode = std::function<std::vector<float>(FileModel&, const MatrixSize&, SplitMix64&)>;
FileModel make_model(const std::string& quantization, const Encode& encode);
void save(const FileModel& model, const std::filesystem::path& folder);

struct Case {
  std::string name;
  std::string quantization;
  Encode encode;
};
/// One for each format.
std::vector<Case> cases();

}  // namespace assay::engine::test_files
