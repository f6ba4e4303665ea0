// Reads the quantization configs of the public producers into a QuantConfig.
#pragma once

#include <string>
#include <string_view>

#include "base/json.h"
#include "engine/quant_config.h"

namespace assay::engine {

/// Throws: Error(kInput) naming file and key for everything that is not understood: a config that
/// is read wrongly gives a changed model and no error.
class QuantConfigParser {
 public:
  QuantConfigParser(const ModelConfig& config, QuantConfig& out) : config_(config), out_(out) {}
  void run();

 private:
  void compressed_tensors();
  void compressed_group(const Json& group, const std::string& format, const std::string& path);
  void compressed_weights(const Json& weights, const std::string& format, const std::string& path,
                          StoredScheme& scheme);
  void compressed_inputs(const Json* inputs, const std::string& path, StoredScheme& scheme);
  void fp8();
  void fbgemm();
  void model_opt();
  void gptq();
  void awq();

  void ignore(const Json& object, std::string_view key);
  void add_linear(StoredScheme scheme);
  [[nodiscard]] const Json* field(const Json& object, std::string_view key) const;
  [[nodiscard]] std::string text(const Json& object, std::string_view key,
                                 std::string_view fallback) const;
  [[nodiscard]] std::int64_t integer(const Json& object, std::string_view key,
                                     std::int64_t fallback) const;
  [[nodiscard]] bool boolean(const Json& object, std::string_view key, bool fallback) const;
  [[noreturn]] void fail(const std::string& what) const;

  const ModelConfig& config_;
  QuantConfig& out_;
};

}  // namespace assay::engine
