# CoactFlags.cmake - how our own code is compiled, in one list.
#
# Nothing here reaches users: coact_flags is never installed.
#
# SPDX-License-Identifier: MIT
include(CheckIncludeFile)

add_library(coact_flags INTERFACE)

if(PROJECT_IS_TOP_LEVEL)
  if(NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE Release)
  endif()
  # No NDEBUG: a broken invariant stops every build.
  set(CMAKE_C_FLAGS_RELEASE "-O2 -g")
  set(CMAKE_C_FLAGS_DEBUG "-Og -g3")
endif()

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)

set(coact_warnings
    -Wall
    -Wextra
    -Wpedantic
    -Wshadow
    -Wconversion
    -Wstrict-prototypes
    -Wmissing-prototypes
    -Wold-style-definition
    -Wundef
    -Wwrite-strings
    -Wcast-qual
    -Wpointer-arith
    -Wformat=2
    -Wimplicit-fallthrough
    -Wswitch-enum
    -Wvla
    $<$<C_COMPILER_ID:GNU>:-Wlogical-op>
    $<$<C_COMPILER_ID:GNU>:-Wduplicated-cond>
    $<$<C_COMPILER_ID:GNU>:-Wduplicated-branches>
    $<$<C_COMPILER_ID:Clang>:-Wcomma>
    $<$<C_COMPILER_ID:Clang>:-Wunreachable-code>
    $<$<C_COMPILER_ID:Clang>:-Wthread-safety>
    $<$<BOOL:${COACT_WERROR}>:-Werror>)

# Of the library alone: its frames stand on actors' stacks.  Sanitizers make
# them larger.
set(coact_frame_limit
    $<$<AND:$<STREQUAL:${COACT_SANITIZE},>,$<COMPILE_LANGUAGE:C>>:-Wframe-larger-than=1024>
)

# A guard page stops an overflow only if every page of a frame is touched in
# order: without -fstack-clash-protection a large frame steps over it.
set(coact_codegen
    -fvisibility=hidden -fstack-clash-protection
    # Debuggers and backtraces have the unwind tables; sanitizers follow frames.
    $<$<NOT:$<STREQUAL:${COACT_SANITIZE},>>:-fno-omit-frame-pointer>)
if(COACT_MACHINE STREQUAL x86_64)
  list(APPEND coact_codegen -mno-red-zone) # see runtime/context.h
endif()

check_include_file(valgrind/valgrind.h COACT_HAVE_VALGRIND_H)
set(coact_defines
    _GNU_SOURCE
    COACT_ABORT_ON_MISUSE=$<BOOL:${COACT_ABORT_ON_MISUSE}>
    COACT_HAVE_VALGRIND=$<BOOL:${COACT_HAVE_VALGRIND_H}>)

if(COACT_SANITIZE STREQUAL "address")
  set(coact_sanitize -fsanitize=address,undefined -fno-sanitize-recover=all)
elseif(COACT_SANITIZE STREQUAL "thread")
  set(coact_sanitize -fsanitize=thread)
elseif(COACT_SANITIZE STREQUAL "fuzzer")
  set(coact_sanitize -fsanitize=fuzzer-no-link,address,undefined
                     -fno-sanitize-recover=all)
elseif(NOT COACT_SANITIZE STREQUAL "")
  message(FATAL_ERROR "COACT_SANITIZE is '${COACT_SANITIZE}', not one of "
                      "address, thread, fuzzer")
endif()

target_compile_options(
  coact_flags
  INTERFACE $<$<COMPILE_LANGUAGE:C>:${coact_warnings}>
            $<$<COMPILE_LANGUAGE:C>:${coact_codegen}> ${coact_sanitize})
target_compile_definitions(coact_flags INTERFACE ${coact_defines})
target_link_options(coact_flags INTERFACE ${coact_sanitize})
target_include_directories(coact_flags INTERFACE ${PROJECT_SOURCE_DIR}
                                                 ${COACT_INCLUDE_DIR})
if(COACT_ERRNO_SHIM)
  target_include_directories(coact_flags SYSTEM BEFORE
                             INTERFACE ${PROJECT_SOURCE_DIR}/runtime/errno)
endif()
