#include "engine/tokenizer_load.h"

#include <optional>
#include <utility>

#include "base/digest.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "engine/safetensors.h"
#include "engine/tokenizer_json.h"

namespace assay::engine {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMaxTokenizerBytes = std::uint64_t{256} << 20;
constexpr std::uint64_t kMaxTemplateBytes = std::uint64_t{1} << 20;

std::string shown(const fs::path& path) { return escaped(path.string(), 400); }

/// NAME or NAME.gz, whichever is there.
std::optional<fs::path> plain_or_gz(const fs::path& folder, const std::string& name) {
  for (const char* ending : {"", ".gz"}) {
    fs::path path = folder / (name + ending);
    if (fs::exists(path)) return path;
  }
  return std::nullopt;
}

fs::path tokenizer_file(const fs::path& folder, const std::string& wanted) {
  if (!wanted.empty() && wanted != "json" && wanted != "model") {
    throw_input("tokenizer file \"{}\": expected json or model", escaped(wanted, 60));
  }
  if (!fs::is_directory(folder)) throw_input("{}: no such folder", shown(folder));
  for (const std::string kind : {"json", "model"}) {
    if (!wanted.empty() && wanted != kind) continue;
    if (const auto path = plain_or_gz(folder, "tokenizer." + kind)) return *path;
  }
  throw_input("{}: no {} in this folder", shown(folder),
              wanted.empty() ? "tokenizer.json or tokenizer.model" : "tokenizer." + wanted);
}

/// A token named in tokenizer_config.json: text, or an object with "content".
std::optional<TokenId> named_token(const Json& config, std::string_view key,
                                   const Tokenizer& tokenizer, const std::string& source) {
  const Json* value = config.find(key);
  if (value != nullptr && value->is_object()) value = value->find("content");
  if (value == nullptr || value->is_null()) return std::nullopt;
  if (!value->is_string()) throw_input("{}: {} must be the name of a token", source, key);
  const std::optional<TokenId> id = tokenizer.added_id(value->as_string());
  if (!id) {
    throw_input("{}: {} \"{}\" is not among the added tokens", source, key,
                escaped(value->as_string(), 60));
  }
  return id;
}

/// One template, or the one named "default" of a list.
std::string template_text(const Json& value, const std::string& source) {
  if (value.is_string()) return value.as_string();
  if (value.is_array()) {
    for (const Json& entry : value.as_array()) {
      const Json* name = entry.find("name");
      const Json* text = entry.find("template");
      if (name != nullptr && *name == Json("default") && text != nullptr && text->is_string()) {
        return text->as_string();
      }
    }
  }
  throw_input("{}: chat_template must be text, or a list with an entry named default", source);
}

void read_config(const fs::path& folder, LoadedTokenizer& out) {
  const fs::path path = folder / "tokenizer_config.json";
  if (!fs::exists(path)) return;
  const std::string source = shown(path);
  const std::string text = read_file(path, kMaxTokenizerBytes);
  const Json config = parse_json(text, source);
  if (!config.is_object()) throw_input("{}: expected an object", source);
  const Json* add_eos = config.find("add_eos_token");
  if (add_eos != nullptr && *add_eos == Json(true)) {
    throw_input("{}: add_eos_token is not supported: prompts would end with it", source);
  }
  const std::optional<TokenId> bos = named_token(config, "bos_token", *out.tokenizer, source);
  const Json* add_bos = config.find("add_bos_token");
  const bool no_bos = add_bos != nullptr && *add_bos == Json(false);
  if (bos && out.tokenizer->bos() && *bos != *out.tokenizer->bos()) {
    throw_input("{}: bos_token is not the token that {} puts before texts", source, out.source);
  }
  if (bos && !no_bos) out.tokenizer->set_bos(*bos);
  const auto eos = named_token(config, "eos_token", *out.tokenizer, source);
  if (eos) out.tokenizer->set_eos(*eos);
  const Json* chat = config.find("chat_template");
  if (chat != nullptr && !chat->is_null()) {
    out.chat_template = template_text(*chat, source);
    out.template_source = source;
  }
}

}  // namespace

LoadedTokenizer load_tokenizer(const fs::path& folder, const TokenizerOptions& options) {
  const fs::path path = tokenizer_file(folder, options.file);
  LoadedTokenizer out;
  out.source = shown(path);
  const std::string text = read_file_gunzip(path, kMaxTokenizerBytes);
  const std::string foreign = describe_foreign_file(std::string_view(text).substr(0, 512));
  if (!foreign.empty()) throw_input("{}: {}", out.source, foreign);
  out.digest = sha256_hex(text);
  const bool is_json = path.filename().string().starts_with("tokenizer.json");
  out.tokenizer = is_json ? read_tokenizer_json(text, out.source)
                          : read_tokenizer_model(text, out.source, options.names);
  read_config(folder, out);
  const fs::path jinja = folder / "chat_template.jinja";
  if (fs::exists(jinja)) {  // newer writers keep it here; it wins over tokenizer_config.json
    out.chat_template = read_file(jinja, kMaxTemplateBytes);
    out.template_source = shown(jinja);
  }
  return out;
}

}  // namespace assay::engine
