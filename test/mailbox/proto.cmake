# proto.cmake - our encoding against that of protobuf-c, whose code is made from
# messages.proto.
#
# SPDX-License-Identifier: MIT

find_program(COACT_PROTOC_C protoc-c)
mark_as_advanced(COACT_PROTOC_C)
pkg_check_modules(PROTOBUF_C IMPORTED_TARGET libprotobuf-c)
if(NOT COACT_PROTOC_C OR NOT PROTOBUF_C_FOUND)
  message(STATUS "test mailbox/proto is left out: it needs protobuf-c-compiler "
                 "and libprotobuf-c-dev")
  return()
endif()

set(proto_dir ${CMAKE_CURRENT_BINARY_DIR}/proto)
set(proto_file ${CMAKE_CURRENT_LIST_DIR}/messages.proto)
file(MAKE_DIRECTORY ${proto_dir})
add_custom_command(
  OUTPUT ${proto_dir}/messages.pb-c.c ${proto_dir}/messages.pb-c.h
  COMMAND ${COACT_PROTOC_C} --proto_path=${CMAKE_CURRENT_LIST_DIR}
          --c_out=${proto_dir} ${proto_file}
  DEPENDS ${proto_file}
  VERBATIM)

# Not our code, so not our warnings.
add_library(coact_test_proto STATIC ${proto_dir}/messages.pb-c.c
                                    ${proto_dir}/messages.pb-c.h)
target_include_directories(coact_test_proto SYSTEM PUBLIC ${proto_dir})
target_link_libraries(coact_test_proto PUBLIC PkgConfig::PROTOBUF_C)

coact_test(mailbox/proto LABELS unit SOURCES mailbox/random_message.c)
target_link_libraries(test_mailbox_proto PRIVATE coact_test_proto)
target_compile_definitions(test_mailbox_proto
                           PRIVATE PROTO_FILE="${proto_file}")
