/*
 * time.h - points in time, in nanoseconds of a clock that never jumps.
 *
 * All deadlines in coact are absolute: one deadline can bound several calls.
 * The clock is monotonic; changing the wall clock does nothing to it.  In
 * simulation it is virtual.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_TIME_H
#define COACT_TIME_H

#include <coact/error.h>

#include <stdint.h>

COACT_BEGIN_DECLS

/* A deadline that never comes, and one that has passed already: "poll once". */
#define COACT_FOREVER INT64_MAX
#define COACT_NOW INT64_C(0)

#define COACT_US(n) ((int64_t)(n)*1000)
#define COACT_MS(n) ((int64_t)(n)*1000000)
#define COACT_SECONDS(n) ((int64_t)(n)*1000000000)

/* Nanoseconds since some point in the past that is the same for all threads.
   from any, waits no, fails never */
COACT_API int64_t coact_now_ns(void);

/* The deadline so many nanoseconds, or milliseconds, from now.
   from any, waits no, fails never */
COACT_API int64_t coact_in_ns(int64_t ns);
COACT_API int64_t coact_in_ms(int64_t ms);

COACT_END_DECLS

#endif
