/*
 * frame_fuzz.c - a session that is fed whatever the fuzzer thinks of.
 *
 * The input is a list of steps: what to do, how many bytes, the bytes.  Some
 * steps are frames from a stranger; others are sealed with the session's own
 * key, so that what lies behind the seal is reached too.  The session has fixed
 * keys, so that one input does one thing.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/transport/session.h"

#include <stdlib.h>
#include <string.h>

#define MS INT64_C(1000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum step {
    RAW,
    SEALED,
    RECORDS,
    HELLO,
    PASS_TIME,
    SEND,
    CONSUME,
    LEAVE,
    STEPS
};

struct bench {
    struct coact__keys keys;
    struct coact__counters counters;
    struct coact__ration ration;
    struct coact__session_config config;
    struct coact__session session;
    int64_t now_ns;
    int ups, downs;
    uint64_t held;
};

static void
on_up(void *owner, uint32_t node, uint32_t incarnation)
{
    struct bench *b = owner;
    (void)node;
    if (incarnation == 0 || ++b->ups != b->downs + 1) {
        abort();
    }
}

static void
on_down(void *owner, uint32_t node, uint32_t incarnation, int why)
{
    struct bench *b = owner;
    (void)node;
    (void)incarnation;
    if (why == COACT__DOWN_NONE || ++b->downs != b->ups) {
        abort();
    }
}

static bool
on_message(void *owner, uint32_t node, uint32_t incarnation,
           const uint8_t *bytes, size_t len)
{
    struct bench *b = owner;
    uint8_t sum = 0;
    (void)node;
    (void)incarnation;
    for (size_t i = 0; i < len; i++) {
        sum ^= bytes[i]; // a sanitizer sees what is not ours to read
    }
    if (b->ups == b->downs || len > b->config.self.message_max) {
        abort();
    }
    return sum % 2 == 0;
}

static struct coact__agreement
agreement(void)
{
    struct coact__agreement a;
    memset(&a, 0, sizeof(a));
    a.session_in = 11;
    a.session_out = 22;
    a.incarnation = 33;
    a.message_max = 1 << 20;
    a.window = COACT__WINDOW_MIN;
    memset(a.tx, 1, sizeof(a.tx));
    memset(a.rx, 2, sizeof(a.rx));
    return a;
}

static int
set_up(struct bench *b)
{
    static const uint8_t secret[COACT__KEY_BYTES] = {3};
    struct coact__agreement a = agreement();
    memset(b, 0, sizeof(*b));
    if (coact__crypto_start() != 0) {
        return -EIO;
    }
    coact__crypto_derive(&b->keys, secret);
    b->ration = (struct coact__ration){MS, 64 * MS, 0};
    b->now_ns = 1000 * MS;
    b->config = (struct coact__session_config){
        .self = {&b->keys, 2, 44, COACT__WINDOW_MIN, 1 << 20, &b->ration},
        .limits = {64 * 1024, 16 * 1024, 1 << 20},
        .heartbeat_ns = 100 * MS,
        .hooks = {.up = on_up, .down = on_down, .message = on_message},
        .owner = b,
        .counters = &b->counters,
    };
    int rc = coact__session_init(&b->session, &b->config, 1);
    if (rc == 0) {
        coact__session_connected(&b->session, true, b->now_ns);
        coact__session_begin(&b->session, &a, b->now_ns);
    }
    return rc;
}

static void
give(struct bench *b, uint8_t *frame, size_t len)
{
    uint32_t from = 0;
    switch (coact__frame_shape(frame, len, &from)) {
    case COACT__SHAPE_HELLO:
        coact__session_hello(&b->session, frame, b->now_ns);
        break;
    case COACT__SHAPE_DATA:
        coact__session_data(&b->session, frame, len, b->now_ns);
        break;
    case COACT__SHAPE_BAD:
    case COACT__SHAPE_OTHER_VERSION:
        break;
    }
}

/* The next frame of the peer, with this plaintext. */
static void
give_sealed(struct bench *b, const uint8_t *plain, size_t len)
{
    static uint8_t frame[COACT__FRAME_MAX];
    struct coact__agreement a = agreement();
    struct coact__data data = {1, a.session_in, b->session.rx_seq};
    if (len < COACT__DATA_PREFIX || len > COACT__FRAME_PLAIN) {
        return;
    }
    coact__data_header_write(&data, frame);
    coact__crypto_seal(frame + COACT__DATA_HEADER, plain, len, frame,
                       COACT__DATA_HEADER, data.seq, a.rx);
    give(b, frame, COACT__DATA_HEADER + len + COACT__SEAL_BYTES);
}

static void
give_records(struct bench *b, const uint8_t *records, size_t len)
{
    static uint8_t plain[COACT__FRAME_PLAIN];
    if (len > sizeof(plain) - COACT__DATA_PREFIX) {
        return;
    }
    coact__put_u64(plain, b->session.credit);
    coact__put_u64(plain + 8, b->session.tx_seq);
    coact__put_u64(plain + 16, b->session.progress + 1);
    memcpy(plain + COACT__DATA_PREFIX, records, len);
    give_sealed(b, plain, COACT__DATA_PREFIX + len);
}

/* A handshake frame with a good MAC: the type, and fields as they come. */
static void
give_hello(struct bench *b, const uint8_t *bytes, size_t len)
{
    uint8_t frame[COACT__HELLO_BYTES] = {0};
    memcpy(frame, bytes, len < sizeof(frame) ? len : sizeof(frame));
    frame[0] = (uint8_t)(COACT__FRAME_KNOCK + frame[0] % 3);
    frame[1] = COACT__FRAME_VERSION;
    frame[2] = frame[3] = 0;
    coact__put_u32(frame + 4, 1);
    coact__crypto_mac(&b->keys, frame, COACT__HELLO_BYTES - COACT__HASH_BYTES,
                      frame + COACT__HELLO_BYTES - COACT__HASH_BYTES);
    give(b, frame, sizeof(frame));
}

static void
drain(struct bench *b)
{
    static uint8_t out[COACT__FRAME_MAX];
    for (int i = 0; i < 100; i++) {
        size_t len = coact__session_ready(&b->session);
        if (len == 0) {
            return;
        }
        if (len > sizeof(out)) {
            abort();
        }
        coact__session_seal(&b->session, out, b->now_ns);
    }
    abort(); // a session that always has something to say
}

static void
do_step(struct bench *b, enum step step, uint8_t *bytes, size_t len)
{
    struct iovec part = {bytes, len};
    bool wakes;
    int rc = 0;
    switch (step) {
    case RAW:
        give(b, bytes, len);
        break;
    case SEALED:
        give_sealed(b, bytes, len);
        break;
    case RECORDS:
        give_records(b, bytes, len);
        break;
    case HELLO:
        give_hello(b, bytes, len);
        break;
    case PASS_TIME:
        b->now_ns += (int64_t)(len % 500) * MS;
        coact__session_tick(&b->session, b->now_ns);
        break;
    case SEND:
        rc = coact__session_send(&b->session, 33, len % 3, len % 2, &part, 1,
                                 &wakes);
        break;
    case CONSUME:
        (void)coact__session_consumed(&b->session, 33, len);
        break;
    case LEAVE:
        coact__session_leave(&b->session, COACT__DOWN_STOPPED, b->now_ns);
        break;
    case STEPS:
        break;
    }
    (void)rc;
    drain(b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct bench bench;
    static uint8_t bytes[65536];
    if (set_up(&bench) != 0) {
        return 0;
    }
    while (size >= 3) {
        enum step step = (enum step)(data[0] % STEPS);
        size_t len = (size_t)data[1] | (size_t)data[2] << 8;
        data += 3;
        size -= 3;
        len = len < size ? len : size;
        if (len > 0) {
            memcpy(bytes, data, len);
        }
        do_step(&bench, step, bytes, len);
        data += len;
        size -= len;
    }
    coact__session_fini(&bench.session);
    if (bench.ups != bench.downs) {
        abort();
    }
    return 0;
}
