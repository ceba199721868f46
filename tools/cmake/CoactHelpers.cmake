# CoactHelpers.cmake - the verbs of the folders' lists.
#
#   coact_sources(a.c b.c)          compiled into all three libraries
#   coact_public_headers(a.h)       <coact/a.h>, here and when installed
#   coact_sample(name a.c ...)      the program bin/name
#
# SPDX-License-Identifier: MIT

# Where the public headers are collected, so that <coact/x.h> means the same
# here as for a user.  They are links: the header lies beside its code.
set(COACT_INCLUDE_DIR ${PROJECT_BINARY_DIR}/include)

# The assembly files end in it.
string(TOLOWER "${CMAKE_SYSTEM_PROCESSOR}" COACT_MACHINE)
if(COACT_MACHINE MATCHES "^(x86_64|amd64)$")
  set(COACT_MACHINE x86_64)
elseif(COACT_MACHINE MATCHES "^(aarch64|arm64)$")
  set(COACT_MACHINE aarch64)
else()
  message(FATAL_ERROR "coact has no context switch for ${COACT_MACHINE}")
endif()

function(coact_sources)
  list(TRANSFORM ARGN PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/)
  set_property(GLOBAL APPEND PROPERTY COACT_SOURCES ${ARGN})
endfunction()

function(coact_public_headers)
  file(MAKE_DIRECTORY ${COACT_INCLUDE_DIR}/coact)
  foreach(header IN LISTS ARGN)
    set(path ${CMAKE_CURRENT_SOURCE_DIR}/${header})
    if(NOT EXISTS ${path})
      message(FATAL_ERROR "no public header ${path}")
    endif()
    cmake_path(GET header FILENAME name)
    file(CREATE_LINK ${path} ${COACT_INCLUDE_DIR}/coact/${name} SYMBOLIC)
    set_property(GLOBAL APPEND PROPERTY COACT_PUBLIC_HEADERS ${path})
  endforeach()
endfunction()

# A sample sees what a user sees: <coact/...> and its own folder.
function(coact_sample name)
  add_executable(${name} ${ARGN})
  set_target_properties(
    ${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
  target_link_libraries(${name} PRIVATE coact::static coact_flags)
  set_property(GLOBAL APPEND PROPERTY COACT_SAMPLES_BUILT ${name})
endfunction()

# samples.txt tells samples/run which programs there are.
function(coact_write_samples)
  get_property(names GLOBAL PROPERTY COACT_SAMPLES_BUILT)
  add_custom_target(samples DEPENDS ${names}) # what samples/run builds
  list(JOIN names "\n" text)
  file(GENERATE OUTPUT ${PROJECT_BINARY_DIR}/samples.txt CONTENT "${text}\n")
endfunction()
