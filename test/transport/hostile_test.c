/*
 * hostile_test.c - what strangers, thieves and old recordings cannot do.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/support/suite.h"
#include "test/transport/cluster.h"

#include "runtime/oracle.h"
#include "runtime/oracle_sim.h"
#include "runtime/transport/frame.h"

#include <stdlib.h>
#include <string.h>

#define KEPT_MAX 4000

/* All that went over the wire, and what to swallow. */
static struct {
    struct {
        uint8_t *bytes;
        size_t len;
        uint32_t from, to;
    } frame[KEPT_MAX];
    size_t count;
    bool swallows_data; /* from 1 to 2, once */
} tape;

static bool
record(void *context, uint32_t from, uint32_t to, uint8_t *frame, size_t *len)
{
    (void)context;
    if (tape.count < KEPT_MAX) {
        uint8_t *copy = malloc(*len);
        ck_assert_ptr_nonnull(copy);
        memcpy(copy, frame, *len);
        tape.frame[tape.count].bytes = copy;
        tape.frame[tape.count].len = *len;
        tape.frame[tape.count].from = from;
        tape.frame[tape.count].to = to;
        tape.count++;
    }
    if (tape.swallows_data && from == 1 && to == 2 &&
        frame[0] == COACT__FRAME_DATA) {
        tape.swallows_data = false;
        return false;
    }
    return true;
}

static const struct coact__sim_net_options recorded = {.tap = record};

static void
erase_tape(void)
{
    for (size_t i = 0; i < tape.count; i++) {
        free(tape.frame[i].bytes);
    }
    memset(&tape, 0, sizeof(tape));
}

/* The last frame of this type from one node to another. */
static size_t
find(uint32_t from, uint32_t to, enum coact__frame_type type)
{
    for (size_t i = tape.count; i-- > 0;) {
        if (tape.frame[i].from == from && tape.frame[i].to == to &&
            tape.frame[i].bytes[0] == type) {
            return i;
        }
    }
    ck_abort_msg("no such frame was sent");
}

static uint64_t
rejected(struct cluster *c, uint32_t id)
{
    struct coact__transport_stats s;
    uint64_t sum = 0;
    coact__transport_stats(c->node[id].transport, &s);
#define ADD(name, text) sum += s.rejected.name;
    COACT__REJECT_TABLE(ADD)
#undef ADD
    return sum;
}

static struct coact__transport_stats
stats_of(struct cluster *c, uint32_t id)
{
    struct coact__transport_stats s;
    coact__transport_stats(c->node[id].transport, &s);
    return s;
}

/* Inject, and let it arrive without moving the clock. */
static void
inject(struct cluster *c, uint32_t to, const uint8_t *bytes, size_t len)
{
    ck_assert_int_eq(coact__sim_net_inject(c->net, to, bytes, len), 0);
    while (cluster_turn(c)) {
    }
}

/* The links have not noticed, and work. */
static void
assert_undisturbed(struct cluster *c, uint64_t downs)
{
    ck_assert(cluster_is_whole(c));
    for (uint32_t a = 1; a <= (uint32_t)c->nodes; a++) {
        for (uint32_t b = 1; b <= (uint32_t)c->nodes; b++) {
            if (a == b) {
                continue;
            }
            uint64_t before = c->node[b].view[a].all_received;
            ck_assert_uint_eq(c->node[a].view[b].downs, downs);
            ck_assert_int_eq(cluster_send(c, a, b, 0, 100, 0), 0);
            cluster_run(c, 50 * MS);
            ck_assert_uint_eq(c->node[b].view[a].all_received, before + 1);
        }
    }
}

START_TEST(s61_a_wrong_key_gets_no_link)
{
    struct cluster c;
    coact__sim_seed(1);
    cluster_start(&c, 3, NULL, NULL);
    cluster_run(&c, 500 * MS);
    cluster_kill(&c, 2);
    c.options.key[31] = 1;
    ck_assert_int_eq(cluster_start_node(&c, 2), 0);
    cluster_run(&c, 5000 * MS);
    ck_assert(!c.node[1].view[2].is_up && !c.node[2].view[1].is_up);
    ck_assert(!c.node[3].view[2].is_up && !c.node[2].view[3].is_up);
    ck_assert_uint_gt(stats_of(&c, 1).rejected.mac, 5);
    ck_assert_uint_gt(stats_of(&c, 2).rejected.mac, 5);
    ck_assert_uint_eq(c.node[1].view[3].downs, 0);
    ck_assert_int_eq(cluster_send(&c, 1, 3, 0, 100, 0), 0);
    cluster_stop(&c);
}
END_TEST

START_TEST(s61_another_version_of_the_protocol_is_refused)
{
    struct cluster c;
    coact__sim_seed(2);
    cluster_start(&c, 2, NULL, &recorded);
    cluster_run(&c, 500 * MS);
    size_t kept = tape.count;
    ck_assert_uint_gt(kept, 4);
    for (size_t i = 0; i < kept; i++) {
        tape.frame[i].bytes[1] = COACT__FRAME_VERSION + 1;
        inject(&c, tape.frame[i].to, tape.frame[i].bytes, tape.frame[i].len);
        tape.frame[i].bytes[1] = COACT__FRAME_VERSION - 1;
        inject(&c, tape.frame[i].to, tape.frame[i].bytes, tape.frame[i].len);
    }
    ck_assert_uint_eq(stats_of(&c, 1).rejected.version +
                          stats_of(&c, 2).rejected.version,
                      2 * kept);
    assert_undisturbed(&c, 0);
    cluster_stop(&c);
    erase_tape();
}
END_TEST

START_TEST(s61_a_replayed_session_disturbs_no_live_one)
{
    struct cluster c;
    coact__sim_seed(3);
    cluster_start(&c, 2, NULL, &recorded);
    cluster_run(&c, 500 * MS);
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(cluster_send(&c, 1, 2, 0, 100, 0), 0);
        ck_assert_int_eq(cluster_send(&c, 2, 1, 0, 100, 0), 0);
        cluster_run(&c, 10 * MS);
    }
    // All of it: handshake and data of the session that is live …
    size_t kept = tape.count;
    for (size_t i = 0; i < kept; i++) {
        inject(&c, tape.frame[i].to, tape.frame[i].bytes, tape.frame[i].len);
    }
    assert_undisturbed(&c, 0);
    // … and of one that is over, and each frame back to who sent it.
    coact__sim_net_cut(c.net, 1, 2);
    cluster_run(&c, 1000 * MS);
    uint64_t received = c.node[2].view[1].all_received;
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < kept; i++) {
            inject(&c, tape.frame[i].to, tape.frame[i].bytes,
                   tape.frame[i].len);
            inject(&c, tape.frame[i].from, tape.frame[i].bytes,
                   tape.frame[i].len);
        }
        cluster_run(&c, 50 * MS);
    }
    ck_assert_uint_eq(c.node[2].view[1].all_received, received);
    ck_assert_uint_gt(rejected(&c, 1) + rejected(&c, 2), 2 * kept);
    assert_undisturbed(&c, 1);
    cluster_stop(&c);
    erase_tape();
}
END_TEST

/* Everything but the frame as it was must be refused, and counted once. */
static void
assert_each_flip_is_refused(struct cluster *c, size_t index)
{
    uint8_t *bytes = tape.frame[index].bytes;
    size_t len = tape.frame[index].len;
    uint32_t to = tape.frame[index].to;
    for (size_t bit = 0; bit < 8 * len; bit++) {
        uint64_t before = rejected(c, to);
        uint64_t begun = stats_of(c, to).sessions_begun;
        bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        inject(c, to, bytes, len);
        bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        ck_assert_uint_eq(rejected(c, to), before + 1);
        ck_assert_uint_eq(stats_of(c, to).sessions_begun, begun);
    }
}

START_TEST(s61_each_flipped_bit_of_each_kind_of_frame_is_refused)
{
    struct cluster c;
    coact__sim_seed(4);
    cluster_start(&c, 2, NULL, &recorded);
    cluster_run(&c, 500 * MS);
    // The next data frame is held back, so that it is the one expected.
    tape.swallows_data = true;
    ck_assert_int_eq(cluster_send(&c, 1, 2, 0, 100, 0), 0);
    while (tape.swallows_data) {
        ck_assert(cluster_turn(&c));
    }
    size_t data = find(1, 2, COACT__FRAME_DATA);
    assert_each_flip_is_refused(&c, data);
    inject(&c, 2, tape.frame[data].bytes, tape.frame[data].len);
    ck_assert_uint_eq(c.node[2].view[1].received[0], 1);
    assert_each_flip_is_refused(&c, find(2, 1, COACT__FRAME_KNOCK));
    assert_each_flip_is_refused(&c, find(1, 2, COACT__FRAME_M1));
    assert_each_flip_is_refused(&c, find(2, 1, COACT__FRAME_M2));
    assert_undisturbed(&c, 0);
    cluster_stop(&c);
    erase_tape();
}
END_TEST

START_TEST(s61_flipped_handshakes_begin_no_session_on_a_link_that_is_down)
{
    struct cluster c;
    coact__sim_seed(5);
    cluster_start(&c, 2, NULL, &recorded);
    cluster_run(&c, 500 * MS);
    cluster_kill(&c, 1);
    cluster_run(&c, 100 * MS);
    ck_assert(!c.node[2].view[1].is_up);
    assert_each_flip_is_refused(&c, find(1, 2, COACT__FRAME_M1));
    assert_each_flip_is_refused(&c, find(1, 2, COACT__FRAME_DATA));
    // Unchanged, the old M1 gets an answer, but its old data fit nothing.
    inject(&c, 2, tape.frame[find(1, 2, COACT__FRAME_M1)].bytes,
           COACT__HELLO_BYTES);
    for (size_t i = 0; i < tape.count; i++) {
        if (tape.frame[i].to == 2 &&
            tape.frame[i].bytes[0] == COACT__FRAME_DATA) {
            inject(&c, 2, tape.frame[i].bytes, tape.frame[i].len);
        }
    }
    ck_assert_uint_eq(stats_of(&c, 2).sessions_begun, 1);
    ck_assert_int_eq(cluster_start_node(&c, 1), 0);
    cluster_run(&c, 1000 * MS);
    ck_assert(cluster_is_whole(&c));
    cluster_stop(&c);
    erase_tape();
}
END_TEST

START_TEST(s61_truncated_and_padded_frames_are_refused)
{
    struct cluster c;
    coact__sim_seed(6);
    cluster_start(&c, 2, NULL, &recorded);
    cluster_run(&c, 500 * MS);
    size_t kept = tape.count;
    for (size_t i = 0; i < kept; i++) {
        uint8_t longer[COACT__FRAME_MAX + 1] = {0};
        uint32_t to = tape.frame[i].to;
        size_t len = tape.frame[i].len;
        memcpy(longer, tape.frame[i].bytes, len);
        uint64_t before = rejected(&c, to);
        for (size_t cut = 0; cut < len; cut++) {
            inject(&c, to, longer, cut);
        }
        inject(&c, to, longer, len + 1);
        inject(&c, to, longer, sizeof(longer));
        ck_assert_uint_eq(rejected(&c, to), before + len + 2);
    }
    assert_undisturbed(&c, 0);
    cluster_stop(&c);
    erase_tape();
}
END_TEST

START_TEST(s61_a_flood_of_garbage_is_counted_and_dropped)
{
    struct cluster c;
    uint8_t bytes[600];
    coact__sim_seed(7);
    cluster_start(&c, 2, NULL, NULL);
    cluster_run(&c, 500 * MS);
    for (int i = 0; i < 20000; i++) {
        coact__oracle_random(bytes, sizeof(bytes));
        if (i % 2 == 0) { // as far as the header goes, one of ours
            bytes[0] = (uint8_t)(1 + coact__oracle_choose(4));
            bytes[1] = COACT__FRAME_VERSION;
            bytes[2] = bytes[3] = 0;
            coact__put_u32(bytes + 4, 2);
            coact__put_u32(bytes + 8, 1);
        }
        size_t len = i % 4 == 0 ? COACT__HELLO_BYTES
                                : coact__oracle_choose(sizeof(bytes));
        ck_assert_int_eq(coact__sim_net_inject(c.net, 1, bytes, len), 0);
        if (i % 100 == 0) {
            cluster_run(&c, MS);
        }
    }
    cluster_run(&c, 200 * MS);
    ck_assert_uint_eq(rejected(&c, 1), 20000);
    assert_undisturbed(&c, 0);
    cluster_stop(&c);
}
END_TEST

START_TEST(s61_many_good_handshakes_are_rationed)
{
    struct cluster c;
    struct coact__keys keys;
    struct coact__hello hello = {.type = COACT__FRAME_M1,
                                 .from = 1,
                                 .to = 2,
                                 .window = 256 * 1024,
                                 .incarnation = 12345,
                                 .message_max = 1 << 20};
    uint8_t frame[COACT__HELLO_BYTES];
    coact__sim_seed(8);
    cluster_start(&c, 2, NULL, NULL);
    cluster_run(&c, 500 * MS);
    coact__crypto_derive(&keys, c.options.key);
    for (int i = 0; i < 1000; i++) {
        struct coact__keypair pair;
        coact__crypto_keypair(&pair);
        memcpy(hello.open_key, pair.open, sizeof(hello.open_key));
        hello.session = 1 + (uint64_t)i;
        coact__hello_write(&keys, &hello, frame);
        inject(&c, 2, frame, sizeof(frame));
    }
    ck_assert_uint_ge(stats_of(&c, 2).rejected.rate, 980);
    cluster_run(&c, 2000 * MS);
    assert_undisturbed(&c, 0);
    cluster_stop(&c);
}
END_TEST

START_TEST(s61_frames_of_nodes_that_we_do_not_know_are_counted)
{
    struct cluster c;
    coact__sim_seed(9);
    cluster_start(&c, 2, NULL, &recorded);
    cluster_run(&c, 500 * MS);
    size_t m1 = find(1, 2, COACT__FRAME_M1);
    coact__put_u32(tape.frame[m1].bytes + 4, 77);
    inject(&c, 2, tape.frame[m1].bytes, tape.frame[m1].len);
    ck_assert_uint_eq(stats_of(&c, 2).rejected.stranger, 1);
    assert_undisturbed(&c, 0);
    cluster_stop(&c);
    erase_tape();
}
END_TEST

SUITE_MAIN("transport/hostile", s61_a_wrong_key_gets_no_link,
           s61_another_version_of_the_protocol_is_refused,
           s61_a_replayed_session_disturbs_no_live_one,
           s61_each_flipped_bit_of_each_kind_of_frame_is_refused,
           s61_flipped_handshakes_begin_no_session_on_a_link_that_is_down,
           s61_truncated_and_padded_frames_are_refused,
           s61_a_flood_of_garbage_is_counted_and_dropped,
           s61_many_good_handshakes_are_rationed,
           s61_frames_of_nodes_that_we_do_not_know_are_counted)
