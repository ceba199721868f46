/*
 * land_test.c - code is told apart by where it lies.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/context.h"
#include "runtime/land.h"
#include "test/support/suite.h"

#include <dlfcn.h>
#include <errno.h>

static uintptr_t
address_of(const char *name)
{
    void *found = dlsym(RTLD_DEFAULT, name);
    ck_assert_ptr_nonnull(found);
    return (uintptr_t)found;
}

static int
ours(void)
{
    return 1;
}

START_TEST(the_programs_code_is_told_from_coacts_and_from_others)
{
    struct coact__land land;
    int rc = coact__land_survey(&land);
    if (COACT__ASAN || COACT__TSAN) {
        // These builds do not keep coact's code apart (CoactLibraries.cmake).
        ck_assert_int_eq(rc, -ENOTSUP);
        return;
    }
    ck_assert_int_eq(rc, 0);
    uintptr_t native = (uintptr_t)ours;
    ck_assert_int_eq(coact__land_owner(&land, native, native),
                     COACT__OWNER_USER);
    ck_assert_int_eq(
        coact__land_owner(&land, (uintptr_t)coact__land_owner, native),
        COACT__OWNER_COACT);
    ck_assert_int_eq(coact__land_owner(&land, address_of("qsort"), native),
                     COACT__OWNER_OTHER);
    ck_assert_int_eq(coact__land_owner(&land, (uintptr_t)&land, native),
                     COACT__OWNER_OTHER); // a stack is no code
    ck_assert_int_eq(coact__land_owner(&land, 0, native), COACT__OWNER_OTHER);
}
END_TEST

START_TEST(the_module_of_an_actors_body_is_the_users)
{
    struct coact__land land;
    if (coact__land_survey(&land) != 0) {
        return;
    }
    // The C library stands for a plugin, the linker for the rest.
    uintptr_t plugin = address_of("qsort");
    ck_assert_int_eq(coact__land_owner(&land, plugin, plugin),
                     COACT__OWNER_USER);
    ck_assert_int_eq(
        coact__land_owner(&land, address_of("__tls_get_addr"), plugin),
        COACT__OWNER_OTHER);
}
END_TEST

SUITE_MAIN("runtime/land",
           the_programs_code_is_told_from_coacts_and_from_others,
           the_module_of_an_actors_body_is_the_users)
