// What a data set is: its files, where they come from, their digests and how each is read.
// Each benchmark's folder holds its own manifest; this folder knows formats, not benchmarks.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace assay::datasets {

enum class FileFormat {
  kJsonl,    // one JSON object a line; plain or gzip
  kJson,     // one JSON object, the file's only record; plain or gzip
  kText,     // text in UTF-8, the file's only record, as field "text"
  kCsv,      // RFC 4180, plain or gzip; columns named by `columns` or, if empty, by a header line
  kTsv,      // split at tabs only, no quoting, no header; columns named by `columns`
  kJsonTar,  // tar (plain or gzip), one JSON object a member below `member`; rows in the order of
             // the sorted paths
  kZipCsv,   // member `member` of a (possibly encrypted) zip, a CSV with a header line
  kZipJson,  // member `member` of a (possibly encrypted) zip, one JSON object
};

struct DataFile {
  std::string
      path;  // relative to the data folder: "gsm8k/test.jsonl"; ".gz" beside it is found too
  std::string split;  // "test", "dev", "train" ...
  std::string group;  // subject, language; "" for none
  FileFormat format = FileFormat::kJsonl;
  std::vector<std::string> columns;   // names of CSV and TSV columns without header
  std::vector<std::string> required;  // header columns or JSON members that each record must have
  std::string member;    // kZipCsv, kZipJson: path inside the archive; kJsonTar: prefix of paths
  std::string password;  // of a zip, as published by the authors; "" for none
  std::string sha256;    // of the plain (decompressed) upstream file; of a zip or tar as it lies
                         // on disk
  std::int64_t records = 0;  // published count
  bool alternative = false;  // another source of the same split: read only if the first is missing
  std::string url;           // where `assay datasets fetch` gets it; "" for no direct source
  std::vector<std::string> mirrors;  // further addresses of the same bytes, tried in this order
  std::string url_member;  // set: `url` is an archive, and this is the end of the member's path
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
