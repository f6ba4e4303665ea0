// The options for models that a server serves, the same on every command that uses a model.
#pragma once

#include <string>

#include "cli/command.h"
#include "engine/http_options.h"

namespace assay::cli {

/// Adds --model-name, --api-key-file, --ca-file, --insecure and the like; they write into
/// `model_name` and `http`, which must outlive the parsing.
void add_http_options(CLI::App& command, std::string& model_name, engine::HttpOptions& http);

}  // namespace assay::cli
