# Helpers that keep the folder files to a few lines each.

# Flags that every target of the project is compiled with.
add_library(stet_flags INTERFACE)
target_compile_options(stet_flags INTERFACE
  -Wall -Wextra -Wshadow -Wvla -Wpointer-arith -Wcast-qual -Wundef
  $<$<COMPILE_LANGUAGE:C>:-Wpedantic -Wstrict-prototypes -Wmissing-prototypes>
  # Bits of float results must not depend on what the compiler fuses or reorders.
  -ffp-contract=off -fno-fast-math
  $<$<BOOL:${STET_WERROR}>:-Werror>)
target_compile_definitions(stet_flags INTERFACE _GNU_SOURCE)
if(STET_SANITIZE)
  target_compile_options(stet_flags INTERFACE
    -fsanitize=${STET_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer -g)
  target_link_options(stet_flags INTERFACE -fsanitize=${STET_SANITIZE})
endif()

# stet_layer(NAME SOURCES a.c ... [PUBLIC deps...] [PRIVATE deps...])
# A static library of one layer; its folder becomes the include path of whoever links it.
function(stet_layer name)
  cmake_parse_arguments(A "" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  add_library(${name} STATIC ${A_SOURCES})
  target_include_directories(${name} PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
  target_link_libraries(${name} PUBLIC ${A_PUBLIC} PRIVATE stet_flags ${A_PRIVATE})
endfunction()

# For what does most of the arithmetic: in instrumented tests its running time exceeds what optimising it takes.
function(stet_fast_arithmetic name)
  if(STET_SANITIZE AND NOT STET_BUILD_FUZZERS)
    target_compile_options(${name} PRIVATE -O2)
  endif()
endfunction()

# Test code gains nothing from -O3 and compiles half as fast; with sanitizers most of the time goes into optimising it.
function(stet_test_options name)
  if(STET_SANITIZE)
    target_compile_options(${name} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-O0>)
  else()
    target_compile_options(${name} PRIVATE $<$<AND:$<CONFIG:Release>,$<COMPILE_LANGUAGE:CXX>>:-O1>)
  endif()
endfunction()

# The headers that test files share, read once where tests/support says so. Not for programs with a file in C.
function(stet_test_headers name)
  get_target_property(sources ${name} SOURCES)
  if(TARGET stet_test_pch AND NOT "${sources}" MATCHES "[.]c(;|$)")
    target_precompile_headers(${name} REUSE_FROM stet_test_pch)
  endif()
endfunction()

# stet_test(NAME SOURCES a_test.cc ... LINK layers... [LONG FILTER] [COST n])
# A GoogleTest program; every TEST in it becomes a ctest entry, see stet_discover_tests.
function(stet_test name)
  cmake_parse_arguments(A "" "LONG;COST" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${A_SOURCES})
  target_link_libraries(${name} PRIVATE ${A_LINK} stet_test_support stet_flags GTest::gtest GTest::gtest_main)
  stet_test_options(${name})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  stet_test_headers(${name})
  stet_discover_tests(${name} PREFIX ${name} LONG "${A_LONG}" COST "${A_COST}")
endfunction()

# stet_discover_tests(PROGRAM PREFIX name [FILTER f] [LONG f] [COST n])
# Every TEST becomes the ctest entry PREFIX.Suite.Test, in a process of its own. With sanitizers, where starting a
# process and looking for leaks at its end takes longer than most tests, they are one entry PREFIX in one process, and
# those of the GoogleTest filter LONG another, PREFIX.long with the label "long". ctest begins with the highest COST, so
# that no long entry runs alone at the end.
function(stet_discover_tests name)
  cmake_parse_arguments(A "" "PREFIX;FILTER;LONG;COST" "" ${ARGN})
  if(NOT A_COST)
    set(A_COST 1)
  endif()
  if(NOT STET_SANITIZE)
    gtest_discover_tests(${name} TEST_PREFIX "${A_PREFIX}." TEST_FILTER "${A_FILTER}" DISCOVERY_TIMEOUT 60
      PROPERTIES TIMEOUT 600 COST ${A_COST})
    return()
  endif()
  if(NOT A_FILTER)
    set(A_FILTER *)
  endif()
  set(entries ${A_PREFIX})
  add_test(NAME ${A_PREFIX} COMMAND ${name} "--gtest_filter=${A_FILTER}-${A_LONG}")
  if(A_LONG)
    list(APPEND entries ${A_PREFIX}.long)
    add_test(NAME ${A_PREFIX}.long COMMAND ${name} "--gtest_filter=${A_LONG}")
    set_tests_properties(${A_PREFIX}.long PROPERTIES LABELS long)
  endif()
  # A filter that no test has any more is no success.
  set_tests_properties(${entries} PROPERTIES TIMEOUT 1200 COST ${A_COST}
    FAIL_REGULAR_EXPRESSION "Running 0 tests")
endfunction()
