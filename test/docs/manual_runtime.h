/*
 * manual_runtime.h - the runtime in which the pieces of the manual are run.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_TEST_MANUAL_RUNTIME_H
#define COACT_TEST_MANUAL_RUNTIME_H

#include "test/support/suite.h"

#include <coact/runtime.h>

__attribute__((unused)) static struct coact_runtime *
begin_with(const struct coact_runtime_options *options)
{
    struct coact_runtime *runtime = NULL;
    ck_assert_int_eq(coact_start(options, &runtime), 0);
    ck_assert_int_eq(coact_attach(runtime), 0);
    return runtime;
}

/* Without a log: what the pieces of the manual provoke would be in it. */
__attribute__((unused)) static struct coact_runtime *
begin(void)
{
    const struct coact_runtime_options options = {.log_level = COACT_LOG_NONE};
    return begin_with(&options);
}

__attribute__((unused)) static void
end(struct coact_runtime *runtime)
{
    coact_detach();
    ck_assert_int_eq(coact_stop(runtime, coact_in_ms(10000)), 0);
    ck_assert_int_eq(coact_free(runtime), 0);
}

#endif
