# CoactLibraries.cmake - the three libraries, from the folders' lists.
#
# SPDX-License-Identifier: MIT

get_property(coact_all_sources GLOBAL PROPERTY COACT_SOURCES)

# Where a misuse aborts, the locks that the library holds are counted too.
set(coact_count_locks
    "$<$<AND:$<BOOL:${COACT_ABORT_ON_MISUSE}>,$<COMPILE_LANGUAGE:C>>:SHELL:-include ${PROJECT_SOURCE_DIR}/runtime/held_mutex.h>"
)

# Compiled once, as position-independent code, for both the .so and the .a.
add_library(coact_objects OBJECT ${coact_all_sources})
set_target_properties(coact_objects PROPERTIES POSITION_INDEPENDENT_CODE ON)
target_link_libraries(coact_objects PRIVATE coact_flags)
target_compile_options(coact_objects PRIVATE ${coact_frame_limit}
                                             ${coact_count_locks})
target_compile_definitions(coact_objects PRIVATE COACT_SIM=0)

# In a static library our code becomes a part of the program.  A section of its
# own keeps it apart, and the linker says where that is: runtime/land.h needs to
# know.  Without it, stack overflows cannot be contained there, and the option
# fails.
function(coact_keep_apart target)
  if(CMAKE_OBJCOPY AND COACT_SANITIZE STREQUAL "")
    set(renames)
    foreach(part IN ITEMS .text .text.unlikely .text.hot .text.startup
                          .text.exit)
      foreach(name IN ITEMS ${part} ${part}.)
        list(APPEND renames --rename-section ${name}=coact_text)
      endforeach()
    endforeach()
    add_custom_command(
      TARGET ${target}
      POST_BUILD
      COMMAND ${CMAKE_OBJCOPY} ${renames} $<TARGET_FILE:${target}>
      VERBATIM)
  endif()
endfunction()

# What every user of a library gets.
function(coact_library target)
  add_dependencies(${target} coact_fcontext)
  set_target_properties(
    ${target}
    PROPERTIES LINKER_LANGUAGE C
               ARCHIVE_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib
               LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib)
  # The user's frames must not step over the guard page either.
  target_compile_options(${target} INTERFACE -fstack-clash-protection)
  target_include_directories(
    ${target} INTERFACE $<BUILD_INTERFACE:${COACT_INCLUDE_DIR}>
                        $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  if(COACT_ERRNO_SHIM)
    target_include_directories(
      ${target} SYSTEM BEFORE
      INTERFACE
        $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/runtime/errno>
        $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/coact/errno>)
  endif()
  target_link_libraries(${target} PRIVATE ${coact_libraries} Threads::Threads)
  target_link_options(${target} PRIVATE ${coact_sanitize})
endfunction()

add_library(coact_static STATIC $<TARGET_OBJECTS:coact_objects>
                                ${coact_fcontext_objects})
coact_library(coact_static)
coact_keep_apart(coact_static)
set_target_properties(coact_static PROPERTIES OUTPUT_NAME coact
                                              EXPORT_NAME static)
add_library(coact::static ALIAS coact_static)

# libFuzzer's hooks are the program's, so a library with all symbols resolved
# cannot be linked there.
if(NOT COACT_SANITIZE STREQUAL "fuzzer")
  add_library(coact_shared SHARED $<TARGET_OBJECTS:coact_objects>
                                  ${coact_fcontext_objects})
  coact_library(coact_shared)
  set_target_properties(
    coact_shared
    PROPERTIES OUTPUT_NAME coact
               EXPORT_NAME coact
               VERSION ${PROJECT_VERSION}
               SOVERSION ${PROJECT_VERSION_MAJOR}
               LINK_DEPENDS ${PROJECT_SOURCE_DIR}/tools/cmake/coact.map)
  target_link_options(
    coact_shared
    PRIVATE
    -Wl,--version-script=${PROJECT_SOURCE_DIR}/tools/cmake/coact.map
    -Wl,--as-needed
    -Wl,-z,now
    -Wl,-z,relro
    $<$<STREQUAL:${COACT_SANITIZE},>:-Wl,-z,defs>)
  add_library(coact::coact ALIAS coact_shared)
endif()

# The simulated twin: the same sources, another oracle.
if(EXISTS ${PROJECT_SOURCE_DIR}/runtime/oracle_sim.c)
  set(coact_sim_sources ${coact_all_sources})
  list(REMOVE_ITEM coact_sim_sources ${PROJECT_SOURCE_DIR}/runtime/oracle.c)
  list(APPEND coact_sim_sources ${PROJECT_SOURCE_DIR}/runtime/oracle_sim.c)
  add_library(coact_sim STATIC ${coact_sim_sources} ${coact_fcontext_objects})
  coact_library(coact_sim)
  coact_keep_apart(coact_sim)
  set_target_properties(
    coact_sim
    PROPERTIES OUTPUT_NAME coact-sim
               EXPORT_NAME sim
               POSITION_INDEPENDENT_CODE ON)
  target_link_libraries(coact_sim PRIVATE $<BUILD_INTERFACE:coact_flags>)
  target_compile_options(coact_sim PRIVATE ${coact_count_locks})
  target_compile_definitions(coact_sim PRIVATE COACT_SIM=1)
  add_library(coact::sim ALIAS coact_sim)
endif()
