// What a data set is: its files, where they come from, their digests and how each is read.
// Each benchmark's folder holds its own manifest; this folder knows formats, not benchmarks.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace assay::datasets {

enum class FileFormat {
  kJsonl,    // one JSON object a line; plain or gzip
  kCsv,      // RFC 4180, plain; columns named by `columns` or by a header line if that is empty
  kTsv,      // split at tabs only, no quoting, no header; columns named by `columns`
  kJsonTar,  // tar (plain or gzip), one JSON object a member; group = folder, row = number in the
             // name
  kZipCsv,   // member `member` of a (possibly encrypted) zip, a CSV with a header line
};

struct DataFile {
  std::string
      path;  // relative to the data folder: "gsm8k/test.jsonl"; ".gz" beside it is found too
  std::string split;  // "test", "dev", "train" ...
  std::string group;  // subject, language; "" for none
  FileFormat format = FileFormat::kJsonl;
  std::vector<std::string> columns;  // names of CSV and TSV columns without header
  std::string member;                // kZipCsv: path inside the archive
  std::string password;              // kZipCsv: as published by the authors; "" for none
  std::string
      sha256;  // of the plain (decompressed) upstream file; of the archive for kZipCsv, kJsonTar
  std::int64_t records = 0;  // published count
  std::string url;           // where `assay datasets fetch` gets it
};

struct Manifest {
  std::string name;     // "gsm8k"
  std::string title;    // for people
  std::string licence;  // SPDX id or the upstream words
  std::string homepage;
  std::string revision;     // upstream commit or date of the copy described here
  bool restricted = false;  // authors ask that items are not published (GPQA)
  std::vector<DataFile> files;
};

}  // namespace assay::datasets
