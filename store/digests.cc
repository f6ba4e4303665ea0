#include "store/digests.h"

#include <bit>
#include <cmath>
#include <limits>

#include "base/check.h"
#include "base/error.h"
#include "base/text.h"

namespace assay::store {

FieldDigest& FieldDigest::text(std::string_view value) {
  hash_.update_field(value);
  return *this;
}

FieldDigest& FieldDigest::integer(std::int64_t value) {
  char bytes[8];
  for (int i = 0; i < 8; ++i) {
    bytes[i] = static_cast<char>((static_cast<std::uint64_t>(value) >> (8 * i)) & 0xff);
  }
  hash_.update_field({bytes, sizeof bytes});
  return *this;
}

FieldDigest& FieldDigest::real(double value) { return integer(std::bit_cast<std::int64_t>(value)); }

std::string FieldDigest::bytes() {
  const auto raw = hash_.bytes();
  return {reinterpret_cast<const char*>(raw.data()), raw.size()};
}

std::string FieldDigest::hex() { return hash_.hex(); }

std::string storable_text(const std::string& text) {
  return is_valid_utf8(text) ? text : replace_invalid_utf8(text);
}

std::string pack_ids(const std::vector<std::int32_t>& ids) {
  std::string out;
  out.reserve(ids.size() * 4);
  for (const std::int32_t id : ids) {
    const auto bits = static_cast<std::uint32_t>(id);
    for (int shift = 0; shift < 32; shift += 8) out += static_cast<char>((bits >> shift) & 0xff);
  }
  return out;
}

std::vector<std::int32_t> unpack_ids(std::string_view bytes) {
  if (bytes.size() % 4 != 0)
    throw_input("token ids of {} bytes: no multiple of four", bytes.size());
  std::vector<std::int32_t> ids(bytes.size() / 4);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    std::uint32_t bits = 0;
    for (std::size_t b = 4; b-- > 0;) {
      bits = bits << 8 | static_cast<unsigned char>(bytes[4 * i + b]);
    }
    ids[i] = static_cast<std::int32_t>(bits);
  }
  return ids;
}

std::string choices_to_json(const std::vector<ChoiceRecord>& choices) {
  Json::Array out;
  for (const ChoiceRecord& choice : choices) {
    ASSAY_CHECK(!std::isnan(choice.logprob),
                "a log-probability that is no number was to be stored");
    const Json logprob = std::isinf(choice.logprob) ? Json("-inf") : Json(choice.logprob);
    out.emplace_back(Json::Array{logprob, Json(choice.tokens), Json(choice.greedy)});
  }
  return Json(std::move(out)).dump();
}

std::vector<ChoiceRecord> choices_from_json(const std::string& text) {
  std::vector<ChoiceRecord> out;
  for (const Json& entry : parse_json(text, "choices").as_array()) {
    const Json::Array& fields = entry.as_array();
    if (fields.size() != 3) throw_input("choices: an entry of {} fields", fields.size());
    const double logprob =
        fields[0].is_string() ? -std::numeric_limits<double>::infinity() : fields[0].as_double();
    out.push_back({logprob, fields[1].as_int(), fields[2].as_bool()});
  }
  return out;
}

std::string item_digest(const ItemRecord& item) {
  return FieldDigest()
      .text(item.key)
      .text(item.group)
      .text(item.category)
      .text(item.cluster)
      .text(item.question)
      .text(item.target)
      .bytes();
}

std::string prompt_digest(const PromptRecord& prompt) {
  return FieldDigest().text(prompt.text).text(pack_ids(prompt.ids)).bytes();
}

std::string output_hash(const GenerationRecord& generation) {
  FieldDigest digest;
  digest.text(generation.finish_reason);
  if (!generation.choices.empty()) {
    for (const ChoiceRecord& choice : generation.choices) {
      digest.real(choice.logprob).integer(choice.tokens).integer(choice.greedy ? 1 : 0);
    }
  } else if (!generation.ids.empty()) {
    digest.text(pack_ids(generation.ids));
  } else {
    digest.text(generation.text);
  }
  return digest.bytes().substr(0, 16);
}

std::string generation_digest(const SampleRecord& sample) {
  const GenerationRecord& g = sample.generation;
  FieldDigest digest;
  digest.text(item_digest(sample.item)).text(prompt_digest(g.prompt));
  for (const std::int64_t value :
       {g.position, g.repeat, g.attempts, g.prompt_tokens, g.cached_tokens, g.output_tokens,
        g.scheduled_ns, g.sent_ns, g.first_ns, g.last_ns}) {
    digest.integer(value);
  }
  return digest.text(g.response_key)
      .text(g.finish_reason)
      .text(g.text)
      .text(pack_ids(g.ids))
      .text(choices_to_json(g.choices))
      .text(g.error)
      .bytes();
}

std::string score_digest(const ScoreFields& fields, const std::vector<PartRecord>& parts) {
  FieldDigest digest;
  digest.text(fields.response_key)
      .text(fields.scorer)
      .text(fields.verdict)
      .real(fields.value)
      .text(fields.answer)
      .text(fields.reason)
      .text(fields.detail);
  for (const PartRecord& part : parts) digest.text(part.metric).real(part.value).real(part.count);
  return digest.bytes();
}

std::string bytes_of_hex(std::string_view hex) {
  ASSAY_CHECK(hex.size() == 64, "a digest has 64 hexadecimal digits: " + std::string(hex));
  std::string out;
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    unsigned value = 0;
    for (const char c : hex.substr(i, 2)) {
      const std::size_t digit = std::string_view("0123456789abcdef").find(c);
      ASSAY_CHECK(digit != std::string_view::npos, "not hexadecimal: " + std::string(hex));
      value = value * 16 + static_cast<unsigned>(digit);
    }
    out += static_cast<char>(value);
  }
  return out;
}

std::string hex_of_bytes(std::string_view bytes) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  out.reserve(2 * bytes.size());
  for (const char c : bytes) {
    out += kDigits[static_cast<unsigned char>(c) >> 4];
    out += kDigits[static_cast<unsigned char>(c) & 15];
  }
  return out;
}

}  // namespace assay::store
