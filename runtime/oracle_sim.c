/*
 * oracle_sim.c - time and chance out of a seed.
 *
 * xoshiro256** seeded by splitmix64, and a clock that moves when it is told to.
 * It is linked in place of oracle.c.  The state is the process's, as the clock
 * of a real machine is, and a simulation has one thread.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/oracle_sim.h"

#include "runtime/sim.h"

#include "runtime/oracle.h"

#include <errno.h>
#include <string.h>

#define SIM_START_NS INT64_C(1000000000)

/* An oracle that nobody seeded answers as if it had been seeded with 0. */
static struct {
    uint64_t word[4];
    uint64_t trace;
    int64_t now_ns;
    bool is_seeded;
} sim;

static uint64_t
splitmix(uint64_t *state)
{
    uint64_t x = *state += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static uint64_t
rotl(uint64_t x, int by)
{
    return (x << by) | (x >> (64 - by));
}

static void
mix(uint64_t value)
{
    sim.trace = (rotl(sim.trace, 5) ^ value) * 0x2545f4914f6cdd1du;
}

static uint64_t
draw(void)
{
    if (!sim.is_seeded) {
        coact__sim_seed(0);
    }
    uint64_t *w = sim.word;
    uint64_t drawn = rotl(w[1] * 5, 7) * 9;
    uint64_t t = w[1] << 17;
    w[2] ^= w[0];
    w[3] ^= w[1];
    w[1] ^= w[2];
    w[0] ^= w[3];
    w[2] ^= t;
    w[3] = rotl(w[3], 45);
    return drawn;
}

void
coact__sim_seed(uint64_t seed)
{
    for (int i = 0; i < 4; i++) {
        sim.word[i] = splitmix(&seed);
    }
    sim.trace = 1;
    sim.now_ns = SIM_START_NS;
    sim.is_seeded = true;
}

void
coact__sim_advance_to(int64_t now_ns)
{
    if (now_ns > coact__oracle_now_ns()) {
        sim.now_ns = now_ns;
    }
}

void
coact__oracle_skip_to(int64_t now_ns)
{
    if (now_ns != INT64_MAX) {
        coact__sim_advance_to(now_ns);
    }
}

void
coact__sim_note(const void *bytes, size_t len)
{
    const unsigned char *at = bytes;
    for (size_t i = 0; i < len; i++) {
        mix(at[i]);
    }
}

uint64_t
coact__sim_trace(void)
{
    return sim.trace;
}

int64_t
coact__oracle_now_ns(void)
{
    if (!sim.is_seeded) {
        coact__sim_seed(0);
    }
    return sim.now_ns;
}

/* What a run costs is not the same twice. */
int
// NOLINTNEXTLINE(readability-non-const-parameter): the real one writes to it
coact__oracle_cpu_ns(pid_t tid, int64_t *out)
{
    (void)tid;
    (void)out;
    return -ENOTSUP;
}

void
coact__oracle_random(void *buf, size_t bytes)
{
    unsigned char *to = buf;
    while (bytes > 0) {
        uint64_t value = draw();
        size_t part = bytes < sizeof(value) ? bytes : sizeof(value);
        memcpy(to, &value, part);
        mix(value);
        to += part;
        bytes -= part;
    }
}

uint32_t
coact__oracle_choose(uint32_t n)
{
    uint32_t chosen = (uint32_t)(((draw() >> 32) * n) >> 32);
    mix(chosen);
    return chosen;
}

bool
coact__oracle_is_simulated(void)
{
    return true;
}

/* ---- For users (sim.h) ---- */

void
coact_sim_seed(uint64_t seed)
{
    coact__sim_seed(seed);
}

uint64_t
coact_sim_trace(void)
{
    return coact__sim_trace();
}
