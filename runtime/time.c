/*
 * time.c - the public clock.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/time.h"

#include "runtime/oracle.h"

int64_t
coact_now_ns(void)
{
    return coact__oracle_now_ns();
}

int64_t
coact_in_ns(int64_t ns)
{
    int64_t now = coact__oracle_now_ns();
    return ns > INT64_MAX - now ? COACT_FOREVER : now + ns;
}

int64_t
coact_in_ms(int64_t ms)
{
    return ms > INT64_MAX / 1000000 ? COACT_FOREVER : coact_in_ns(COACT_MS(ms));
}
