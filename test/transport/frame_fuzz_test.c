/*
 * frame_fuzz_test.c - a bounded run of the fuzz target, the same each time.
 *
 * It does not look for new bugs, that is the fuzzer's work; it keeps the target
 * and what it found in the past from rotting.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/support/suite.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t state;

static uint32_t
draw(uint32_t n)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(((state >> 33) * n) >> 31);
}

/* One step; what looks like records more often than noise does. */
static size_t
make_step(uint8_t *at)
{
    uint8_t step = (uint8_t)draw(8);
    size_t len = draw(4) == 0 ? draw(600) : draw(60);
    at[0] = step;
    for (size_t i = 0; i < len; i++) {
        at[3 + i] = (uint8_t)draw(256);
    }
    if (step == 2 && len > 16) { // records: one whose length is about right
        size_t body = len - 4 + draw(3) - 1;
        memset(at + 3, 0, 16);
        at[3] = (uint8_t)body;
        at[4] = (uint8_t)(body >> 8);
        at[6] = (uint8_t)(draw(5) << 4);
        at[7] = (uint8_t)draw(3);    // an id
        at[11] = (uint8_t)draw(256); // a total
        at[12] = (uint8_t)(draw(3) == 0 ? draw(8) : 0);
    }
    at[1] = (uint8_t)len;
    at[2] = (uint8_t)(len >> 8);
    return 3 + len;
}

START_TEST(s61_a_session_survives_any_frames)
{
    static uint8_t input[32 * 700];
    state = 1;
    for (int run = 0; run < 5000; run++) {
        size_t size = 0;
        uint32_t steps = 1 + draw(30);
        for (uint32_t i = 0; i < steps; i++) {
            size += make_step(input + size);
        }
        ck_assert_int_eq(LLVMFuzzerTestOneInput(input, size), 0);
    }
}
END_TEST

SUITE_MAIN("transport/frame_fuzz", s61_a_session_survives_any_frames)
