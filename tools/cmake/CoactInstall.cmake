# CoactInstall.cmake - find_package(coact), coact.pc, headers, libraries.
#
# SPDX-License-Identifier: MIT
include(CMakePackageConfigHelpers)

get_property(coact_headers GLOBAL PROPERTY COACT_PUBLIC_HEADERS)
install(FILES ${coact_headers} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/coact)

set(coact_pc_errno "")
if(COACT_ERRNO_SHIM)
  install(FILES runtime/errno/errno.h
          DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/coact/errno)
  set(coact_pc_errno " -isystem\${includedir}/coact/errno")
endif()

set(coact_targets coact_static)
foreach(target IN ITEMS coact_shared coact_sim)
  if(TARGET ${target})
    list(APPEND coact_targets ${target})
  endif()
endforeach()
install(TARGETS ${coact_targets} EXPORT coactTargets)

set(coact_config_dir ${CMAKE_INSTALL_LIBDIR}/cmake/coact)
install(EXPORT coactTargets NAMESPACE coact:: DESTINATION ${coact_config_dir})
configure_package_config_file(
  tools/cmake/coactConfig.cmake.in ${PROJECT_BINARY_DIR}/coactConfig.cmake
  INSTALL_DESTINATION ${coact_config_dir})
write_basic_package_version_file(
  ${PROJECT_BINARY_DIR}/coactConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/coactConfig.cmake
              ${PROJECT_BINARY_DIR}/coactConfigVersion.cmake
        DESTINATION ${coact_config_dir})

list(TRANSFORM coact_libraries PREPEND -l OUTPUT_VARIABLE coact_pc_libs)
list(JOIN coact_pc_libs " " coact_pc_libs)
configure_file(tools/cmake/coact.pc.in coact.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/coact.pc
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

install(FILES LICENSE THIRD-PARTY.md
        DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY LICENSES DESTINATION ${CMAKE_INSTALL_DOCDIR})
