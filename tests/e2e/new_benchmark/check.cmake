# Read by project() of the copied tree: adds the checking program once all targets are there.
cmake_language(DEFER DIRECTORY ${CMAKE_SOURCE_DIR} CALL add_executable check ${ASSAY_CHECK_SOURCE})
cmake_language(DEFER DIRECTORY ${CMAKE_SOURCE_DIR} CALL target_link_libraries check assay::evals
  assay::datasets)
