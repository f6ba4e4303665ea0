// cuBLASLt's functions, found at run time.
#pragma once

#include <cublasLt.h>

namespace assay::engine {

/// Those that are used.
struct CublasLt {
  decltype(&cublasLtCreate) create;
  decltype(&cublasLtGetVersion) version;
  decltype(&cublasLtMatmul) matmul;
  decltype(&cublasLtMatmulAlgoGetHeuristic) heuristic;
  decltype(&cublasLtMatmulAlgoCheck) check;
  decltype(&cublasLtMatmulDescInit_internal) describe;
  decltype(&cublasLtMatmulDescSetAttribute) set_operation;
  decltype(&cublasLtMatrixLayoutInit_internal) layout;
  decltype(&cublasLtMatrixLayoutSetAttribute) set_layout;
  decltype(&cublasLtMatmulPreferenceInit_internal) preference;
  decltype(&cublasLtMatmulPreferenceSetAttribute) set_preference;
};

/// Throws: Error(kEnvironment) when no library is found, naming where was looked.
CublasLt load_cublaslt();

}  // namespace assay::engine
