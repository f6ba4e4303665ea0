# assay_library(name HEADERS .. SOURCES .. DEPENDS .. PRIVATE_DEPENDS ..)
#   makes target assay_<name> and alias assay::<name> from the current folder.
function(assay_library name)
  cmake_parse_arguments(ARG "" "" "HEADERS;SOURCES;DEPENDS;PRIVATE_DEPENDS" ${ARGN})
  set(target assay_${name})
  if(ARG_SOURCES)
    add_library(${target} STATIC)
    target_sources(${target} PRIVATE ${ARG_SOURCES})
    target_sources(${target} PUBLIC FILE_SET HEADERS
      BASE_DIRS ${PROJECT_SOURCE_DIR} FILES ${ARG_HEADERS})
    target_link_libraries(${target} PUBLIC ${ARG_DEPENDS}
      PRIVATE ${ARG_PRIVATE_DEPENDS} $<BUILD_INTERFACE:assay_flags>)
  else()
    add_library(${target} INTERFACE)
    target_sources(${target} INTERFACE FILE_SET HEADERS
      BASE_DIRS ${PROJECT_SOURCE_DIR} FILES ${ARG_HEADERS})
    target_link_libraries(${target} INTERFACE ${ARG_DEPENDS})
  endif()
  add_library(assay::${name} ALIAS ${target})
endfunction()

# assay_coroutines(SOURCE ..): with sanitizers GCC 12 inlines the operator new of a coroutine's frame in these, and takes
# its operator delete for a stranger.
function(assay_coroutines)
  if(ASSAY_SANITIZE AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    set_source_files_properties(${ARGN} PROPERTIES COMPILE_OPTIONS -Wno-mismatched-new-delete)
  endif()
endfunction()

# assay_scale_timeouts(): at the end of a folder, gives its tests the time that sanitized programs need, and tells them.
function(assay_scale_timeouts)
  if(ASSAY_SLOWDOWN EQUAL 1)
    return()
  endif()
  get_property(names DIRECTORY PROPERTY TESTS)
  foreach(name ${names})
    set_property(TEST ${name} APPEND PROPERTY ENVIRONMENT "ASSAY_TEST_SLOWDOWN=${ASSAY_SLOWDOWN}")
    get_test_property(${name} TIMEOUT seconds)
    if(seconds)
      math(EXPR seconds "${seconds} * ${ASSAY_SLOWDOWN}")
      set_tests_properties(${name} PROPERTIES TIMEOUT ${seconds})
    endif()
  endforeach()
endfunction()

# assay_test(name SOURCES .. DEPENDS .. LABELS ..): one GoogleTest program; ctest sees each test case.
# Tests read ASSAY_SHARED (folder with the real data sets, models and vectors; skipped when missing).
function(assay_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;DEPENDS;LABELS" ${ARGN})
  if(NOT ARG_LABELS)
    set(ARG_LABELS unit)
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  math(EXPR ARG_TIMEOUT "${ARG_TIMEOUT} * ${ASSAY_SLOWDOWN}")
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_DEPENDS} assay::test_support GTest::gtest GTest::gmock
    assay::test_main assay_flags)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  include(GoogleTest)
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST WORKING_DIRECTORY ${CMAKE_BINARY_DIR}
    PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT ${ARG_TIMEOUT})
endfunction()

# assay_bench(name SOURCES .. DEPENDS ..): one Google Benchmark program, run once by ctest at its smallest size.
function(assay_bench name)
  cmake_parse_arguments(ARG "" "SMOKE_FILTER" "SOURCES;DEPENDS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_DEPENDS} benchmark::benchmark assay_flags)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bench)
  if(ARG_SMOKE_FILTER)
    add_test(NAME ${name}.smoke
      COMMAND ${name} --benchmark_filter=${ARG_SMOKE_FILTER} --benchmark_min_time=0.001)
    set_tests_properties(${name}.smoke PROPERTIES LABELS bench)
  endif()
endfunction()
