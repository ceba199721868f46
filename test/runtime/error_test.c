/*
 * error_test.c - the table of codes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/error.h"

#include "test/support/suite.h"

#include <string.h>

START_TEST(every_code_has_its_own_name_and_text)
{
#define CHECK_ONE(code, text)                                                  \
    ck_assert_str_eq(coact_errname(-code), #code);                             \
    ck_assert_str_eq(coact_strerror(-code), text);
    COACT_ERROR_TABLE(CHECK_ONE)
#undef CHECK_ONE
}
END_TEST

START_TEST(success_is_said_in_words)
{
    ck_assert_str_eq(coact_strerror(0), "success");
    ck_assert_ptr_null(coact_errname(0));
}
END_TEST

START_TEST(a_code_outside_the_table_gets_the_systems_text)
{
    ck_assert_str_eq(coact_strerror(-EXDEV), strerrordesc_np(EXDEV));
    ck_assert_ptr_null(coact_errname(-EXDEV));
}
END_TEST

START_TEST(nonsense_is_an_unknown_error)
{
    ck_assert_str_eq(coact_strerror(-123456), "unknown error");
    ck_assert_ptr_null(coact_errname(-123456));
}
END_TEST

SUITE_MAIN("error", every_code_has_its_own_name_and_text,
           success_is_said_in_words,
           a_code_outside_the_table_gets_the_systems_text,
           nonsense_is_an_unknown_error)
