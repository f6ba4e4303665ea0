// One upstream row as it stands in its file, before any benchmark gives it a meaning.
#pragma once

#include <cstdint>
#include <string>

#include "base/json.h"

namespace assay::datasets {

struct Record {
  std::string dataset;  // manifest name: "gsm8k"
  std::string split;    // "test", "dev", "train", "diamond"
  std::string
      group;  // part of the file's name that groups rows: MMLU subject, MGSM language; else ""
  std::int64_t row = 0;   // from 0 within split and group
  std::string file;       // path as opened (archive members as "archive.zip:member"), for messages
  std::int64_t line = 0;  // first line of the record, from 1; 0 where a file is one record
  Json fields;            // object; cells of CSV and TSV are strings, named by column

  /// "file:line" for messages.
  [[nodiscard]] std::string place() const;
};

}  // namespace assay::datasets
