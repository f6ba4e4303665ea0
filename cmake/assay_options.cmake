# Options, language standard and warnings for every target of the project.
set(ASSAY_CUDA "AUTO" CACHE STRING "Build the CUDA backend: AUTO (if nvcc is found), ON or OFF")
set_property(CACHE ASSAY_CUDA PROPERTY STRINGS AUTO ON OFF)
set(ASSAY_SANITIZE "" CACHE STRING "Sanitizers for all targets, as in -fsanitize=")
option(ASSAY_TESTS "Build tests and benchmarks" ON)
option(ASSAY_STATIC_DEPENDENCIES "Link third-party libraries statically where an archive exists" OFF)
option(ASSAY_FUZZ "Build the fuzz targets with libFuzzer (needs clang)" OFF)

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
# -g1 keeps line tables for stack traces at a quarter of the object size of -g.
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1 -DNDEBUG")
set(ASSAY_DEBUG_OPTIMISATION "-O1" CACHE STRING "Optimisation of debug builds")
set(CMAKE_CXX_FLAGS_DEBUG "${ASSAY_DEBUG_OPTIMISATION} -g1 -D_GLIBCXX_ASSERTIONS")

find_program(ASSAY_CCACHE ccache)
if(ASSAY_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_C_COMPILER_LAUNCHER ${ASSAY_CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${ASSAY_CCACHE})
  set(CMAKE_CUDA_COMPILER_LAUNCHER ${ASSAY_CCACHE})
endif()

add_library(assay_flags INTERFACE)
target_compile_options(assay_flags INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror
    # Plain structs with defaults are built with designated initialisers; the rest is meant to keep its default.
    -Wno-missing-field-initializers
    # GCC 12 sees overlapping copies in ordinary string operations at -O2 (GCC bug 105651).
    $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>>
  # Products and sums must not be fused behind our back: results are defined bit by bit.
  $<$<COMPILE_LANGUAGE:CXX>:-ffp-contract=off>)
# How many times longer a test may take than in a release: limits of time are times this.
set(ASSAY_SLOWDOWN 1)
if(ASSAY_SANITIZE)
  set(ASSAY_SLOWDOWN 10)
  # With sanitizers GCC 12 takes members of the standard library for uninitialised variables.
  add_compile_options($<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  add_compile_options($<$<COMPILE_LANGUAGE:C,CXX>:-fsanitize=${ASSAY_SANITIZE}>
    $<$<COMPILE_LANGUAGE:C,CXX>:-fno-omit-frame-pointer>
    $<$<COMPILE_LANGUAGE:C,CXX>:-fno-sanitize-recover=all>)
  # Clang 14 gives the parts of a coroutine the type mark of its whole, which it then cannot emit.
  add_compile_options($<$<COMPILE_LANG_AND_ID:CXX,Clang>:-fno-sanitize=function>)
  # The thread sanitizer does not see Asio's fences; what they order is ordered by its locks too.
  if(ASSAY_SANITIZE STREQUAL "thread")
    add_compile_options($<$<CXX_COMPILER_ID:GNU>:-Wno-tsan>)
  endif()
  add_link_options(-fsanitize=${ASSAY_SANITIZE})
endif()
if(ASSAY_FUZZ)
  add_compile_options($<$<COMPILE_LANGUAGE:C,CXX>:-fsanitize=fuzzer-no-link>)  # coverage of every library
endif()
