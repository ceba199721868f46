# CoactFcontext.cmake - the context switch, out of Debian's Boost.Context.
#
# Its two assembly objects are plain C symbols, so they go into our libraries
# and nothing of C++ comes with them.  They are renamed on the way: a user who
# links Boost too would otherwise define make_fcontext twice.  The third object
# (ontop) is left out; nothing calls it.
#
# Objects of different Boost versions lay out a parked context differently and
# must not be mixed; taking both from one archive sees to that.
#
# SPDX-License-Identifier: MIT

find_library(
  COACT_BOOST_CONTEXT_A
  NAMES libboost_context.a
  DOC "The static Boost.Context library")
if(NOT COACT_BOOST_CONTEXT_A)
  message(FATAL_ERROR "libboost_context.a is missing: run tools/deps, or "
                      "install libboost-context-dev")
endif()

set(coact_fcontext_dir ${PROJECT_BINARY_DIR}/fcontext)
file(MAKE_DIRECTORY ${coact_fcontext_dir})
set(coact_fcontext_objects)

execute_process(
  COMMAND ${CMAKE_AR} t ${COACT_BOOST_CONTEXT_A}
  OUTPUT_VARIABLE coact_fcontext_members
  COMMAND_ERROR_IS_FATAL ANY)

foreach(verb IN ITEMS make jump)
  # A member is named after the ABI: make_x86_64_sysv_elf_gas.S.o
  string(REGEX MATCH "(^|\n)(${verb}_[^\n]*_elf_gas[^\n]*)" found
               "${coact_fcontext_members}")
  set(member ${CMAKE_MATCH_2})
  if(NOT member)
    message(FATAL_ERROR "${COACT_BOOST_CONTEXT_A} has no ${verb}_*_elf_gas "
                        "object: this architecture is not supported")
  endif()
  set(object ${coact_fcontext_dir}/${verb}_fcontext.o)
  add_custom_command(
    OUTPUT ${object}
    COMMAND ${CMAKE_AR} x ${COACT_BOOST_CONTEXT_A} ${member}
    COMMAND ${CMAKE_OBJCOPY} --redefine-sym
            ${verb}_fcontext=coact__${verb}_fcontext ${member} ${object}
    DEPENDS ${COACT_BOOST_CONTEXT_A}
    WORKING_DIRECTORY ${coact_fcontext_dir}
    COMMENT "Taking ${verb}_fcontext out of Boost.Context"
    VERBATIM)
  set_source_files_properties(${object} PROPERTIES EXTERNAL_OBJECT TRUE
                                                   GENERATED TRUE)
  list(APPEND coact_fcontext_objects ${object})
endforeach()

# One target makes them, so that the libraries do not race to do so.
add_custom_target(coact_fcontext DEPENDS ${coact_fcontext_objects})
