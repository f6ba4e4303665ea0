// Digests of rows: SQLite checks structure, these check content. Private to store/.
#pragma once

#include <string>
#include <string_view>

#include "base/digest.h"
#include "store/records.h"

namespace assay::store {

/// Hashes typed fields so that one list of values has one reading.
class FieldDigest {
 public:
  FieldDigest& text(std::string_view value);
  FieldDigest& integer(std::int64_t value);
  FieldDigest& real(double value);  // by its bits
  std::string bytes();              // 32 bytes; the object cannot be used afterwards
  std::string hex();

 private:
  Sha256 hash_;
};

/// Valid UTF-8: what is digested is what is stored.
std::string storable_text(const std::string& text);
/// Little-endian int32.
std::string pack_ids(const std::vector<std::int32_t>& ids);
/// Throws: Error(kInput) for a length that is no multiple of four.
std::vector<std::int32_t> unpack_ids(std::string_view bytes);
/// [[logprob, tokens, greedy]]; minus infinity as the text "-inf".
std::string choices_to_json(const std::vector<ChoiceRecord>& choices);
std::vector<ChoiceRecord> choices_from_json(const std::string& text);

std::string item_digest(const ItemRecord& item);
std::string prompt_digest(const PromptRecord& prompt);
/// 16 bytes: of the tokens, of the text where there are none, of the choices where they decide.
std::string output_hash(const GenerationRecord& generation);
/// Over everything of the sample but its score and row keys.
std::string generation_digest(const SampleRecord& sample);
/// What a score row's digest covers; kept apart from ScoreRecord so that reports can check rows
/// without building records.
struct ScoreFields {
  std::string_view response_key;  // 32 bytes: ties the score to its generation
  std::string_view scorer;        // name and version
  std::string_view verdict;
  double value = 0;
  std::string_view answer;
  std::string_view reason;
  std::string_view detail;
};
std::string score_digest(const ScoreFields& fields, const std::vector<PartRecord>& parts);

/// 64 hexadecimal digits to 32 bytes. Throws: CheckFailure for anything else.
std::string bytes_of_hex(std::string_view hex);
std::string hex_of_bytes(std::string_view bytes);

}  // namespace assay::store
