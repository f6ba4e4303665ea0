// Any bytes as model.safetensors.index.json: what it names as a shard is a file of the folder,
// never one outside of it.
#include <string>

#include "engine/checkpoint_files.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/input.h"

namespace assay::fuzz {

std::vector<std::string> seeds() {
  return {
      "",
      R"({"metadata":{"total_size":1},"weight_map":{"a":"s1.safetensors","b":"s2.safetensors"}})",
      R"({"weight_map":{"a":"s1.safetensors","b":"../outside"}})",
      R"({"weight_map":{"a":"/etc/passwd"}})",
      R"({"weight_map":{"a":"link.safetensors"}})",
      R"({"weight_map":{"a":"s1.safetensors\u0000"}})",
      R"({"weight_map":{"a":""}})",
      R"({"weight_map":{"a":".."}})",
      R"({"weight_map":{}})",
      R"({"weight_map":[1]})",
  };
}

namespace {

const InputFolder& folder() {
  static const InputFolder kFolder;
  static const bool kMade = [] {
    for (const char* name : {"s1.safetensors", "s2.safetensors"}) (void)kFolder.file(name, "x");
    std::filesystem::create_symlink("/etc/passwd", kFolder.path() / "link.safetensors");
    return true;
  }();
  (void)kMade;
  return kFolder;
}

}  // namespace

}  // namespace assay::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace assay;  // NOLINT(google-build-using-namespace): one function
  (void)fuzz::folder().file("model.safetensors.index.json", fuzz::text_of(data, size));
  const std::filesystem::path root = std::filesystem::canonical(fuzz::folder().path());
  fuzz::accepted([&] {
    for (const engine::ShardFile& shard : engine::find_shards(fuzz::folder().path())) {
      ASSAY_CHECK(std::filesystem::canonical(shard.path).parent_path() == root,
                  shard.path.string());
    }
  });
  return 0;
}
