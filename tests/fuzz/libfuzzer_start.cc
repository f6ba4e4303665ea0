// What a libFuzzer program does before it fuzzes. usage: fuzz_<target> --seeds FOLDER writes the
// seeds as files, and no more.
#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <string_view>

#include "base/file.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerInitialize(const int* count, char*** arguments) {
  const std::string_view first = *count > 1 ? (*arguments)[1] : "";
  if (*count != 3 || first != "--seeds") return 0;
  const std::filesystem::path folder = (*arguments)[2];
  std::filesystem::create_directories(folder);
  std::size_t number = 0;
  for (const std::string& seed : assay::fuzz::seeds()) {
    assay::write_file_atomic(folder / fmt::format("seed{:03}", number++), seed);
  }
  std::exit(0);
}
