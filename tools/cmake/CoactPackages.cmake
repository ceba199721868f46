# CoactPackages.cmake - the libraries that coact stands on.
#
# They are linked by name, so that an installed coact::static asks its user for
# nothing but to have them.
#
# SPDX-License-Identifier: MIT

find_package(Threads REQUIRED)

function(coact_need variable library header package)
  find_library(${variable} NAMES ${library})
  find_path(${variable}_INCLUDE NAMES ${header})
  mark_as_advanced(${variable} ${variable}_INCLUDE)
  if(NOT ${variable} OR NOT ${variable}_INCLUDE)
    message(FATAL_ERROR "${package} is missing: run tools/deps, or install it")
  endif()
endfunction()

coact_need(COACT_NANOMSG nanomsg nanomsg/nn.h libnanomsg-dev)
coact_need(COACT_SODIUM sodium sodium.h libsodium-dev)
set(coact_libraries nanomsg sodium)
