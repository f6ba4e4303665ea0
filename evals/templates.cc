#include "evals/templates.h"

#include <algorithm>

#include "base/digest.h"
#include "base/error.h"
#include "base/file.h"
#include "base/text.h"

namespace assay::evals {

PromptTemplates load_templates(const std::filesystem::path& path) {
  constexpr std::uint64_t kMaxBytes = std::uint64_t{2} << 30;
  const std::string text = read_file_gunzip(path, kMaxBytes);
  PromptTemplates templates{.texts = {}, .source = path.string(), .sha256 = sha256_hex(text)};
  if (PublishedSet::looks_published(text)) {
    templates.published = std::make_shared<const PublishedSet>(text, path.string());
    return templates;
  }
  templates.texts = parse_json(text, path.string());
  if (!templates.texts.is_object()) {
    throw_input("{}: a file of prompt texts is one JSON object (docs/prompts.md), found {}",
                path.string(), templates.texts.type_name());
  }
  return templates;
}

const Json& template_value(const PromptContext& context, std::string_view path) {
  const std::string protocol =
      context.protocol == nullptr ? "this protocol" : context.protocol->name;
  if (context.templates == nullptr) {
    throw_input(
        "protocol \"{}\" takes its wording from a prompt file: pass --prompts FILE with \"{}\" "
        "(docs/prompts.md says where to get one)",
        protocol, path);
  }
  const Json* value = &context.templates->texts;
  for (const std::string_view key : split(path, '.')) {
    value = value->find(key);
    if (value == nullptr) {
      throw_input("{}: no \"{}\", which protocol \"{}\" needs (docs/prompts.md)",
                  context.templates->source, path, protocol);
    }
  }
  return *value;
}

const std::string& template_text(const PromptContext& context, std::string_view path) {
  const Json& value = template_value(context, path);
  if (!value.is_string()) {
    throw_input("{}: \"{}\" is of type {}, not a text", context.templates->source, path,
                value.type_name());
  }
  return value.as_string();
}

std::string fill_template(std::string_view text, std::span<const TemplateField> fields) {
  std::string out;
  while (!text.empty()) {
    const std::size_t open = text.find('{');
    out.append(text.substr(0, open));
    if (open == std::string_view::npos) break;
    text.remove_prefix(open);
    const auto field = std::ranges::find_if(fields, [&](const TemplateField& candidate) {
      const std::size_t size = candidate.first.size();
      return text.size() >= size + 2 && text[size + 1] == '}' &&
             text.substr(1, size) == candidate.first;
    });
    if (field == fields.end()) {
      out.push_back('{');
      text.remove_prefix(1);
    } else {
      out.append(field->second);
      text.remove_prefix(field->first.size() + 2);
    }
  }
  return out;
}

}  // namespace assay::evals
