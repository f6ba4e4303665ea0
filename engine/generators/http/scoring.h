// Likelihoods of continuations from a server.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "engine/generators/http/dialogue.h"
#include "engine/generators/http/reply.h"

namespace assay::engine {

/// `request` and `traits` must outlive it. REQUIRES: continuations, and a way to score them.
std::unique_ptr<Dialogue> make_scoring_dialogue(const Request& request, const ServerTraits& traits);

/// Index of the token with which `ending` begins, if the tokens from there on spell it exactly.
std::optional<std::size_t> begin_of_ending(std::span<const ReplyToken> tokens,
                                           std::string_view ending);

/// Sum and parts of tokens' log-probabilities. Throws: Fault(kMalformed) where one has none.
ContinuationScore score_of(std::span<const ReplyToken> tokens);

}  // namespace assay::engine
