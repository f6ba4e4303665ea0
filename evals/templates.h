// Prompt wording that belongs to others, taken from a file in the form of docs/prompts.md.
// Pure; any thread.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "evals/benchmark.h"

namespace assay::evals {

/// Reads a file of prompt texts (one JSON object whose texts protocols name by path) or of
/// published samples (evals/published.h); plain or gzip. Throws: Error(kInput) for a file that
/// cannot be read or is neither.
PromptTemplates load_templates(const std::filesystem::path& path);

/// The value at `path` ("meta.gsm8k_8shot_cot.user") of the prompt file.
/// Throws: Error(kInput) naming protocol and path when there is no file or it lacks the path.
const Json& template_value(const PromptContext& context, std::string_view path);

/// The text at `path`. Throws: Error(kInput) also when it is no text.
const std::string& template_text(const PromptContext& context, std::string_view path);

using TemplateField = std::pair<std::string_view, std::string_view>;  // name without braces, value

/// `text` with every "{name}" of `fields` replaced in one pass; other braces are literal.
std::string fill_template(std::string_view text, std::span<const TemplateField> fields);

}  // namespace assay::evals
