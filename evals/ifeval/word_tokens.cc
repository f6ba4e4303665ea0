#include "evals/ifeval/word_tokens.h"

#include "evals/extract/python_text.h"

namespace assay::evals {

namespace {

// Each pass reads one text and writes the next, left to right, as a substitution does. The order of
// the passes is part of the behaviour: an early one puts the blanks that a later one looks for.
using Text = std::u32string;
using View = std::u32string_view;

bool one_of(char32_t c, View set) { return set.find(c) != View::npos; }

char32_t at_or(View text, std::size_t at, char32_t otherwise) {
  return at < text.size() ? text[at] : otherwise;
}

void append_padded(Text& out, View piece) {
  out += U' ';
  out += piece;
  out += U' ';
}

/// Puts blanks around the longest run of one character of `set`; shorter runs than `least` stay.
Text pad_runs(View text, char32_t wanted, std::size_t least) {
  Text out;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = at;
    while (end < text.size() && text[end] == wanted) ++end;
    if (end > at && end - at >= least) {
      append_padded(out, text.substr(at, end - at));
    } else {
      end = end > at ? end : at + 1;
      out += text.substr(at, end - at);
    }
    at = end;
  }
  return out;
}

Text pad_each(View text, View set) {
  Text out;
  for (const char32_t c : text) {
    if (one_of(c, set)) {
      append_padded(out, View(&c, 1));
    } else {
      out += c;
    }
  }
  return out;
}

Text pad_string(View text, View wanted, View written) {
  Text out;
  for (std::size_t at = 0; at < text.size();) {
    if (text.substr(at).starts_with(wanted)) {
      append_padded(out, written);
      at += wanted.size();
    } else {
      out += text[at++];
    }
  }
  return out;
}

/// A double quote, or two apostrophes, behind a blank or an opening bracket opens a quotation.
Text open_quotes(View text) {
  Text out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    out += text[at];
    if (!one_of(text[at], U" ([{<")) continue;
    const View rest = text.substr(at + 1);
    const std::size_t quote = rest.starts_with(U'"') ? 1 : rest.starts_with(U"''") ? 2 : 0;
    if (quote == 0) continue;
    append_padded(out, U"``");
    at += quote;
  }
  return out;
}

/// An apostrophe before a lone word character is a token, unless both are an English ending.
Text split_leading_apostrophes(View text) {
  Text out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    out += text[at];
    const char32_t next = at_or(text, at + 1, U' ');
    if (text[at] == U'\'' && python_is_word(next) && !python_is_word(at_or(text, at + 2, U' ')) &&
        !one_of(python_fold(next), U"mtsdn")) {
      out += U' ';
    }
  }
  return out;
}

/// Splits off the sentence's last dot, if only `closers` and white space stand behind it.
Text split_last_dot(View text, View closers, bool pad_closers) {
  std::size_t end = text.size();
  while (end > 0 && python_is_space(text[end - 1])) --end;
  std::size_t dot = end;
  while (dot > 0 && one_of(text[dot - 1], closers)) --dot;
  if (dot < 2 || text[dot - 1] != U'.' || text[dot - 2] == U'.') return Text(text);
  --dot;
  // Closers that include the blank reach to the end of a text that ends with blanks.
  std::size_t closers_end = dot + 1;
  while (closers_end < text.size() && one_of(text[closers_end], closers)) ++closers_end;
  Text out(text.substr(0, dot));
  append_padded(out, U".");
  out += text.substr(dot + 1, closers_end - dot - 1);
  if (pad_closers) out += U' ';
  return out;
}

/// A colon or comma is a token unless a digit follows.
Text split_colons_and_commas(View text) {
  Text out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char32_t c = text[at];
    if ((c != U':' && c != U',') || python_is_digit(at_or(text, at + 1, U'0'))) {
      out += c;
      continue;
    }
    append_padded(out, text.substr(at, 1));
    out += text[++at];  // taken with it: a second mark right behind is not looked at again
  }
  // At the very end, or before a final line break.
  const std::size_t last = out.ends_with(U'\n') ? out.size() - 2 : out.size() - 1;
  if (last < out.size() && (out[last] == U':' || out[last] == U',')) {
    out.insert(last + 1, U" ");
    out.insert(last, U" ");
  }
  return out;
}

/// An apostrophe before a blank and not behind another one closes a quotation.
Text split_final_apostrophes(View text) {
  Text out;
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] != U'\'' && text.substr(at + 1).starts_with(U"' ")) {
      out += text[at];
      out += U" ' ";
      at += 3;
    } else {
      out += text[at++];
    }
  }
  return out;
}

/// Splits endings off words: a character other than apostrophe or blank, the ending, a blank.
Text split_endings(View text, std::initializer_list<View> endings) {
  Text out;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t taken = 0;
    if (text[at] != U'\'' && text[at] != U' ') {
      for (const View ending : endings) {
        const View rest = text.substr(at + 1);
        if (rest.starts_with(ending) && at_or(rest, ending.size(), U'x') == U' ') {
          taken = ending.size();
          break;
        }
      }
    }
    out += text[at];
    if (taken > 0) {
      append_padded(out, text.substr(at + 1, taken));
      ++taken;  // the blank behind
    }
    at += 1 + taken;
  }
  return out;
}

bool starts_with_folded(View text, View wanted) {
  if (text.size() < wanted.size()) return false;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (python_fold(text[i]) != python_fold(wanted[i])) return false;
  }
  return true;
}

struct Contraction {
  View first;
  View second;
  bool blank_before;  // must follow a blank, which is replaced; else a word boundary
  bool space_behind;  // white space must follow; else a word boundary
};

constexpr Contraction kContractions[] = {
    {U"can", U"not", false, false}, {U"d", U"'ye", false, false},  {U"gim", U"me", false, false},
    {U"gon", U"na", false, false},  {U"got", U"ta", false, false}, {U"lem", U"me", false, false},
    {U"more", U"'n", false, false}, {U"wan", U"na", false, true},  {U"'t", U"is", true, false},
    {U"'t", U"was", true, false},
};

Text split_contraction(View text, const Contraction& word) {
  Text out;
  const std::size_t length = word.first.size() + word.second.size();
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t start = at + (word.blank_before ? 1 : 0);
    const View rest = text.substr(std::min(start, text.size()));
    const bool before =
        word.blank_before ? text[at] == U' ' : at == 0 || !python_is_word(text[at - 1]);
    const char32_t behind = at_or(rest, length, U'\0');
    const bool after = word.space_behind ? python_is_space(behind) : !python_is_word(behind);
    if (!before || !after || !starts_with_folded(rest, word.first) ||
        !starts_with_folded(rest.substr(word.first.size()), word.second)) {
      out += text[at++];
      continue;
    }
    append_padded(out, rest.substr(0, word.first.size()));
    out += rest.substr(word.first.size(), word.second.size());
    out += U' ';
    at = start + length;
  }
  return out;
}

Text opening_passes(View sentence) {
  Text text = pad_runs(sentence, U'`', 1);
  text = pad_each(text, U"«“‘„");
  if (text.starts_with(U'"')) text.replace(0, 1, U"``");
  text = pad_string(text, U"``", U"``");
  text = open_quotes(text);
  return split_leading_apostrophes(text);
}

Text punctuation_passes(View opened) {
  Text text = split_last_dot(opened, U"])}>\"'»”’ ", true);
  text = split_colons_and_commas(text);
  text = pad_runs(text, U'.', 2);
  text = pad_each(text, U";@#$%&");
  text = split_last_dot(text, U"])}>\"'", false);
  text = pad_each(text, U"?!");
  text = split_final_apostrophes(text);
  text = pad_each(text, U"*");
  text = pad_each(text, U"][(){}<>");
  return pad_string(text, U"--", U"--");
}

Text closing_passes(View punctuated) {
  Text text = U" ";
  text += punctuated;
  text += U' ';
  text = pad_each(text, U"»”’");
  text = pad_string(text, U"''", U"''");
  text = pad_string(text, U"\"", U"''");
  text = split_endings(text, {U"'s", U"'S", U"'m", U"'M", U"'d", U"'D", U"'"});
  text = split_endings(text, {U"'ll", U"'LL", U"'re", U"'RE", U"'ve", U"'VE", U"n't", U"N'T"});
  for (const Contraction& word : kContractions) text = split_contraction(text, word);
  return text;
}

}  // namespace

std::vector<std::u32string> word_tokens(View sentence) {
  const Text text = closing_passes(punctuation_passes(opening_passes(sentence)));
  std::vector<std::u32string> out;
  for (const View piece : python_split(View(text))) out.emplace_back(piece);
  return out;
}

}  // namespace assay::evals
