// What a scripted server answers when nothing goes wrong: an answer that can be told from every
// other, so that a mix-up is seen.
#pragma once

#include <string>

#include "tests/support/scripted_server.h"

namespace assay::test {

/// The answer to a prompt: "answer to <prompt>" in pieces of a few bytes.
std::string scripted_answer(const std::string& prompt);

/// Serves /v1/models, /v1/completions and /v1/chat/completions, streamed where asked for.
void serve_scripted_model(ScriptedExchange& exchange);

/// The prompt of a completion request, or the last message's content.
std::string prompt_of(const ScriptedRequest& request);

/// Answers /v1/models and returns true, else false.
bool serve_models(ScriptedExchange& exchange, const std::string& owner = "test");

/// A chunk of a stream, or a whole answer, with this text.
std::string chunk_json(const std::string& text, const std::string& finish_reason = "");

}  // namespace assay::test
