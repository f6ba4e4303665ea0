#include "engine/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/error.h"
#include "base/text.h"
#include "tests/support/safetensors_file.h"
#include "tests/support/shared_data.h"

namespace assay::engine {
namespace {

namespace fs = std::filesystem;
using test::safetensors_bytes;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const char* const kConfig = R"({"model_type": "llama", "hidden_size": 4, "num_hidden_layers": 1,
  "num_attention_heads": 2, "num_key_value_heads": 1, "intermediate_size": 6, "vocab_size": 8,
  "max_position_embeddings": 16, "tie_word_embeddings": true})";

void write(const fs::path& path, std::string_view content) {
  std::ofstream(path, std::ios::binary) << content;
}

/// A file with the given tensors in BF16; every byte of tensor k is k.
std::string bf16_file(std::span<const TensorSpec> specs, std::size_t first = 0) {
  Json header{Json::Object{}};
  std::string data;
  for (const TensorSpec& spec : specs) {
    std::int64_t elements = 1;
    Json shape{Json::Array{}};
    for (const std::int64_t size : spec.shape) {
      elements *= size;
      shape.push_back(size);
    }
    const auto begin = static_cast<std::int64_t>(data.size());
    data.append(static_cast<std::size_t>(2 * elements), static_cast<char>(first++));
    Json entry;
    entry.set("dtype", "BF16");
    entry.set("shape", shape);
    Json offsets;
    offsets.push_back(begin);
    offsets.push_back(begin + 2 * elements);
    entry.set("data_offsets", offsets);
    header.set(spec.name, entry);
  }
  return safetensors_bytes(header.dump(), data);
}

/// A folder with a complete tiny model that tests then spoil.
class CheckpointFolder : public ::testing::Test {
 protected:
  void SetUp() override {
    write(path() / "config.json", kConfig);
    write(path() / "model.safetensors", bf16_file(specs()));
  }
  static std::vector<TensorSpec> specs() {
    return expected_tensors(parse_model_config(kConfig, "", "m"));
  }
  [[nodiscard]] fs::path path() const { return folder_.path(); }
  [[nodiscard]] std::string refusal() const {
    return test::error_message([&] { Checkpoint::open(path()); });
  }
  /// Splits the model after `count` tensors into two shards.
  void split(std::size_t count, const char* first, const char* second) const {
    const std::vector<TensorSpec> all = specs();
    write(path() / first, bf16_file(std::span(all).first(count)));
    write(path() / second, bf16_file(std::span(all).subspan(count), count));
    fs::remove(path() / "model.safetensors");
  }
  void write_index(const std::string& first, const std::string& second, std::size_t count) const {
    Json map;
    for (std::size_t i = 0; const TensorSpec& spec : specs()) {
      map.set(spec.name, i++ < count ? first : second);
    }
    Json index;
    index.set("weight_map", map);
    write(path() / "model.safetensors.index.json", index.dump());
  }

 private:
  test::TemporaryFolder folder_;
};

TEST_F(CheckpointFolder, TensorsAreFoundByName) {
  const Checkpoint checkpoint = Checkpoint::open(path());
  EXPECT_EQ(checkpoint.tensors().size(), specs().size());
  const TensorView& k = checkpoint.at("model.layers.0.self_attn.k_proj.weight");
  EXPECT_THAT(k.shape, ElementsAre(2, 4));
  EXPECT_EQ(k.bytes.size(), 16U);
  EXPECT_EQ(k.bytes[0], std::byte{3});
  EXPECT_EQ(checkpoint.find("lm_head.weight"), nullptr);
  EXPECT_THAT(test::error_message([&] { (void)checkpoint.at("x"); }), HasSubstr("no tensor \"x\""));
}

TEST_F(CheckpointFolder, DigestDoesNotDependOnSharding) {
  const Checkpoint whole = Checkpoint::open(path());
  const std::string digest = whole.digest();
  const std::string headers = whole.header_digest();
  split(5, "a.safetensors", "b.safetensors");
  write_index("a.safetensors", "b.safetensors", 5);
  EXPECT_EQ(Checkpoint::open(path()).digest(), digest);
  EXPECT_EQ(Checkpoint::open(path()).header_digest(), headers);
  EXPECT_NE(digest, headers);
}

TEST_F(CheckpointFolder, DigestDependsOnEveryPart) {
  const std::string digest = Checkpoint::open(path()).digest();
  std::string file = bf16_file(specs());
  file.back() ^= 1;
  write(path() / "model.safetensors", file);
  const std::string other_data = Checkpoint::open(path()).digest();
  EXPECT_NE(other_data, digest);
  write(path() / "tokenizer.json", "{}");
  EXPECT_NE(Checkpoint::open(path()).digest(), other_data);
}

TEST_F(CheckpointFolder, NumberedShardsNeedNoIndex) {
  split(3, "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors");
  EXPECT_EQ(Checkpoint::open(path()).tensors().size(), specs().size());
  fs::remove(path() / "model-00002-of-00002.safetensors");
  EXPECT_THAT(refusal(), HasSubstr("model-00002-of-00002.safetensors: this shard is missing"));
}

TEST_F(CheckpointFolder, IndexThatContradictsTheFilesIsRefused) {
  split(5, "a.safetensors", "b.safetensors");
  write_index("a.safetensors", "b.safetensors", 6);
  EXPECT_THAT(refusal(), HasSubstr("is not in this file"));
  write_index("a.safetensors", "c.safetensors", 5);
  EXPECT_THAT(refusal(), HasSubstr("c.safetensors: this shard is missing"));
  for (const char* name : {"../a.safetensors", "/etc/passwd", "..", "", "a\\b"}) {
    write_index("a.safetensors", name, 5);
    EXPECT_THAT(refusal(), HasSubstr("no plain file name")) << name;
  }
  fs::remove(path() / "model.safetensors.index.json");
  EXPECT_THAT(refusal(), HasSubstr("which belong together"));
}

TEST_F(CheckpointFolder, TensorInTwoFilesIsRefused) {
  const std::vector<TensorSpec> all = specs();
  split(5, "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors");
  write(path() / "model-00002-of-00002.safetensors", bf16_file(std::span(all).subspan(4)));
  EXPECT_THAT(refusal(), HasSubstr("stands in two files"));
}

TEST_F(CheckpointFolder, MissingMisshapenAndQuantizedTensorsAreNamed) {
  std::vector<TensorSpec> some = specs();
  some.erase(some.begin() + 2);
  write(path() / "model.safetensors", bf16_file(some));
  EXPECT_THAT(refusal(), HasSubstr("1 tensors are missing: model.layers.0.self_attn.q_proj"));
  some = specs();
  some[2].shape = {4, 5};
  write(path() / "model.safetensors", bf16_file(some));
  EXPECT_THAT(refusal(), HasSubstr("has shape [4, 5], config.json implies [4, 4]"));
  write(path() / "model.safetensors", replace_all(bf16_file(specs()), "\"BF16\"", "\"I16\" "));
  EXPECT_THAT(refusal(), HasSubstr("is I16"));
}

TEST_F(CheckpointFolder, UnknownTensorsAreListedAndKnownExtrasAreNot) {
  std::vector<TensorSpec> more = specs();
  more.push_back({"lm_head.weight", {8, 4}});
  more.push_back({"model.layers.0.self_attn.rotary_emb.inv_freq", {1}});
  more.push_back({"surprise", {2}});
  write(path() / "model.safetensors", bf16_file(more));
  EXPECT_THAT(Checkpoint::open(path()).unused(), ElementsAre("surprise"));
}

TEST_F(CheckpointFolder, AMatrixThatDoesNotFitItsPackingIsNamed) {
  write(path() / "config.json",
        replace_all(kConfig, "\"model_type\"",
                    R"("quantization_config": {"quant_method": "gptq", "bits": 4}, "model_type")"));
  EXPECT_THAT(refusal(), HasSubstr("self_attn.q_proj: 4 x 4 cannot be packed eight to a word"));
}

TEST_F(CheckpointFolder, WrongFoldersAndFilesGetTheirOwnWords) {
  EXPECT_THAT(test::error_message([&] { Checkpoint::open(path() / "none"); }),
              HasSubstr("no such folder"));
  EXPECT_THAT(test::error_message([&] { Checkpoint::open(path() / "config.json"); }),
              HasSubstr("is a file; --model takes the folder"));
  EXPECT_THAT(test::error_message([&] { Checkpoint::open(path().parent_path()); }),
              HasSubstr("no config.json"));
  fs::remove(path() / "model.safetensors");
  EXPECT_THAT(refusal(), HasSubstr("no *.safetensors file"));
  write(path() / "model.gguf", "GGUF");
  EXPECT_THAT(refusal(), HasSubstr("GGUF"));
  write(path() / "pytorch_model.bin", "PK");
  EXPECT_THAT(refusal(), HasSubstr("pickle"));
}

TEST_F(CheckpointFolder, LinksMustStayInsideOrInTheCache) {
  test::TemporaryFolder outside;
  fs::rename(path() / "model.safetensors", outside.path() / "w");
  fs::create_symlink(outside.path() / "w", path() / "model.safetensors");
  EXPECT_THAT(refusal(), HasSubstr("link out of the model folder"));
  const fs::path snapshot = outside.path() / "snapshots" / "abc";
  fs::create_directories(snapshot);
  fs::create_directories(outside.path() / "blobs");
  fs::rename(outside.path() / "w", outside.path() / "blobs" / "w");
  write(snapshot / "config.json", kConfig);
  fs::create_symlink("../../blobs/w", snapshot / "model.safetensors");
  EXPECT_EQ(Checkpoint::open(snapshot).tensors().size(), specs().size());
}

TEST_F(CheckpointFolder, ChangeWhileOpenIsFound) {
  const Checkpoint checkpoint = Checkpoint::open(path());
  checkpoint.check_unchanged();
  std::ofstream(path() / "model.safetensors", std::ios::app) << "x";
  EXPECT_THAT(test::error_message([&] { checkpoint.check_unchanged(); }),
              HasSubstr("changed while it was read"));
}

TEST(Checkpoint, TheSmallModelsLoad) {
  ASSAY_SHARED_OR_SKIP(models, "models");
  const Checkpoint stories = Checkpoint::open(models / "stories260K");
  EXPECT_EQ(stories.tensor_bytes(), 2 * stories.config().parameter_count());
  EXPECT_TRUE(stories.unused().empty());
  EXPECT_NO_THROW(Checkpoint::open(models / "aidreams260K"));
}

}  // namespace
}  // namespace assay::engine
