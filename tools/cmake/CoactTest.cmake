# CoactTest.cmake - the verbs of test/CMakeLists.txt.
#
#   coact_test(runtime/foo [LABELS unit] [SIM] [SOURCES extra.c ...])
#       test/runtime/foo_test.c becomes bin/test_runtime_foo, linked to the
#       static library, where internal names can be reached, or with SIM to
#       the simulated one
#   coact_fuzz(codec)
#       test/fuzz/codec.c becomes bin/fuzz_codec (preset fuzz)
#
# tests.txt in the build folder lists the test binaries for test/run: a line
# each, the labels (comma between), a tab, the path.
#
# SPDX-License-Identifier: MIT

set(COACT_FUZZ_SECONDS 10 CACHE STRING "How long one fuzzer runs as a test")

function(coact_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "SIM" "" "LABELS;SOURCES")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "coact_test(${name}): ${arg_UNPARSED_ARGUMENTS}?")
  endif()
  set(library coact_static)
  if(arg_SIM)
    set(library coact_sim)
    list(APPEND arg_LABELS sim)
  endif()
  if(NOT TARGET ${library})
    message(STATUS "test ${name} is left out: there is no ${library}")
    return()
  endif()
  string(REPLACE "/" "_" target test_${name})
  add_executable(${target} ${PROJECT_SOURCE_DIR}/test/${name}_test.c
                           ${arg_SOURCES})
  set_target_properties(
    ${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
  target_compile_definitions(${target} PRIVATE COACT_SIM=$<BOOL:${arg_SIM}>)
  target_link_libraries(${target} PRIVATE coact_test_support ${library}
                                          coact_flags)
  add_test(NAME ${name} COMMAND ${target})
  set_tests_properties(${name} PROPERTIES TIMEOUT 300)
  if(arg_LABELS)
    list(REMOVE_DUPLICATES arg_LABELS)
    set_tests_properties(${name} PROPERTIES LABELS "${arg_LABELS}")
  endif()
  list(JOIN arg_LABELS "," labels)
  set_property(GLOBAL APPEND PROPERTY COACT_TESTS
                                      "${labels}\t$<TARGET_FILE:${target}>")
endfunction()

function(coact_write_tests)
  get_property(tests GLOBAL PROPERTY COACT_TESTS)
  list(JOIN tests "\n" text)
  file(GENERATE OUTPUT ${PROJECT_BINARY_DIR}/tests.txt CONTENT "${text}\n")
endfunction()

function(coact_fuzz name)
  if(NOT COACT_FUZZ)
    return()
  endif()
  set(target fuzz_${name})
  set(corpus ${PROJECT_SOURCE_DIR}/test/fuzz/corpus/${name})
  set(found ${PROJECT_BINARY_DIR}/corpus/${name})
  file(MAKE_DIRECTORY ${found})
  add_executable(${target} ${PROJECT_SOURCE_DIR}/test/fuzz/${name}.c)
  set_target_properties(
    ${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
  target_compile_definitions(${target} PRIVATE COACT_SIM=0)
  # libFuzzer fixes the name of its entry point and declares it nowhere.
  target_compile_options(${target} PRIVATE -Wno-missing-prototypes)
  target_link_libraries(${target} PRIVATE coact_static coact_flags)
  target_link_options(${target} PRIVATE -fsanitize=fuzzer)
  set(corpora ${found})
  if(IS_DIRECTORY ${corpus})
    list(APPEND corpora ${corpus})
  endif()
  add_test(NAME fuzz/${name}
           COMMAND ${target} -max_total_time=${COACT_FUZZ_SECONDS} ${corpora})
  set_tests_properties(fuzz/${name} PROPERTIES LABELS fuzz)
endfunction()
