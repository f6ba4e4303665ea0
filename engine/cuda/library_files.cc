#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "engine/cuda/library_gemm.h"

namespace assay::engine {
namespace {

constexpr const char* kName = "libcublasLt.so.13";

void add_wheels(std::vector<std::string>& out, const std::filesystem::path& prefix) {
  std::error_code ignored;
  for (const auto& python : std::filesystem::directory_iterator(prefix / "lib", ignored)) {
    if (!python.path().filename().string().starts_with("python3")) continue;
    for (const char* packages : {"site-packages", "dist-packages"}) {
      for (const char* wheel : {"nvidia/cu13/lib", "nvidia/cublas/lib"}) {
        const auto file = python.path() / packages / wheel / kName;
        if (std::filesystem::exists(file, ignored)) out.push_back(file.string());
      }
    }
  }
}

}  // namespace

std::vector<std::string> cublaslt_candidates(const std::vector<std::string>& prefixes) {
  std::vector<std::string> out;
  if (const char* file = std::getenv("ASSAY_CUBLASLT"); file != nullptr) out.emplace_back(file);
  out.emplace_back(kName);
  for (const std::string& prefix : prefixes) {
    std::error_code ignored;
    for (const char* folder : {"lib64", "lib"}) {
      const auto file = std::filesystem::path(prefix) / folder / kName;
      if (std::filesystem::exists(file, ignored)) out.push_back(file.string());
    }
    add_wheels(out, prefix);
  }
  return out;
}

LibraryGemm::LibraryGemm() = default;
LibraryGemm::~LibraryGemm() = default;

}  // namespace assay::engine
