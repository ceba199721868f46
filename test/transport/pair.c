/*
 * pair.c - see pair.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/transport/pair.h"

#include "test/support/suite.h"

#include <string.h>
#include <sys/uio.h>

#define LATE 1000000

static struct coact__keys keys;
struct side side[3];
int64_t now;

static void
on_up(void *owner, uint32_t node, uint32_t incarnation)
{
    struct side *s = owner;
    (void)node;
    s->ups++;
    s->up_incarnation = incarnation;
}

static void
on_down(void *owner, uint32_t node, uint32_t incarnation, int why)
{
    struct side *s = owner;
    (void)node;
    (void)incarnation;
    s->downs++;
    s->why = why;
}

static bool
on_message(void *owner, uint32_t node, uint32_t incarnation,
           const uint8_t *bytes, size_t len)
{
    struct side *s = owner;
    (void)node;
    (void)incarnation;
    s->messages++;
    s->last_len = len;
    if (s->checks_order) { // lane, number
        ck_assert_uint_eq(bytes[1], s->next[bytes[0]]);
        s->next[bytes[0]]++;
    }
    memcpy(s->last, bytes, len < sizeof(s->last) ? len : sizeof(s->last));
    return true;
}

void
open_side(uint32_t id, uint64_t incarnation)
{
    static const uint8_t secret[COACT__KEY_BYTES] = {1};
    struct side *s = &side[id];
    memset(s, 0, sizeof(*s));
    ck_assert_int_eq(coact__crypto_start(), 0);
    coact__crypto_derive(&keys, secret);
    s->ration = (struct coact__ration){MS, 64 * MS, 0};
    s->config = (struct coact__session_config){
        .self = {&keys, id, incarnation, 128 * 1024, 1 << 20, &s->ration},
        .limits = {256 * 1024, 64 * 1024, 1 << 20},
        .heartbeat_ns = 100 * MS,
        .hooks = {.up = on_up, .down = on_down, .message = on_message},
        .owner = s,
        .counters = &s->counters,
    };
    ck_assert_int_eq(coact__session_init(&s->session, &s->config, 3 - id), 0);
}

void
open_both(void)
{
    now = LATE * MS;
    open_side(1, 0x1111111111111111);
    open_side(2, 0x2222222222222222);
}

void
close_both(void)
{
    coact__session_fini(&side[1].session);
    coact__session_fini(&side[2].session);
}

size_t
take_frame(uint32_t from, uint8_t *frame)
{
    size_t len = coact__session_ready(&side[from].session);
    if (len > 0) {
        ck_assert_uint_le(len, COACT__FRAME_MAX);
        coact__session_seal(&side[from].session, frame, now);
        side[from].frames++;
    }
    return len;
}

void
give_frame(uint32_t to, uint8_t *frame, size_t len)
{
    uint32_t from = 0;
    switch (coact__frame_shape(frame, len, &from)) {
    case COACT__SHAPE_HELLO:
        coact__session_hello(&side[to].session, frame, now);
        break;
    case COACT__SHAPE_DATA:
        coact__session_data(&side[to].session, frame, len, now);
        break;
    case COACT__SHAPE_BAD:
    case COACT__SHAPE_OTHER_VERSION:
        ck_abort_msg("a session made a frame that is none");
    }
    ck_assert_uint_eq(from, 3 - to);
}

void
pass_all(void)
{
    static uint8_t frame[COACT__FRAME_MAX];
    bool did = true;
    while (did) {
        did = false;
        for (uint32_t from = 1; from <= 2; from++) {
            size_t len = take_frame(from, frame);
            if (len > 0) {
                give_frame(3 - from, frame, len);
                did = true;
            }
        }
    }
}

void
tick_both(int64_t ns)
{
    now += ns;
    coact__session_tick(&side[1].session, now);
    coact__session_tick(&side[2].session, now);
}

void
go_up(void)
{
    open_both();
    coact__session_connected(&side[1].session, true, now);
    coact__session_connected(&side[2].session, true, now);
    tick_both(0);
    pass_all();
    ck_assert_int_eq(side[1].ups, 1);
    ck_assert_int_eq(side[2].ups, 1);
}

int
send_bytes(uint32_t from, uint64_t lane, unsigned flags, const void *bytes,
           size_t len)
{
    union {
        const void *from;
        void *base;
    } lent = {bytes}; // iovec has no const
    struct iovec part = {lent.base, len};
    bool wakes;
    return coact__session_send(&side[from].session, side[from].up_incarnation,
                               lane, flags, &part, 1, &wakes);
}

int
pass_one(uint32_t from)
{
    uint8_t frame[COACT__FRAME_MAX];
    size_t len = take_frame(from, frame);
    ck_assert_uint_gt(len, 0);
    int type = frame[0];
    give_frame(3 - from, frame, len);
    return type;
}
