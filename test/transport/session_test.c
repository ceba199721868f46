/*
 * session_test.c - two sessions that are passed each other's frames by hand.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/support/suite.h"

#include "runtime/memory.h"
#include "runtime/transport/session.h"

#include <string.h>

#define MS INT64_C(1000000)
#define LATE 1000000

/* Two nodes, 1 and 2, and what they were told. */
struct side {
    struct coact__session_config config;
    struct coact__session session;
    struct coact__counters counters;
    struct coact__ration ration;
    uint32_t up_incarnation;
    int ups, downs, why;
    uint64_t messages;
    uint8_t last[64];
    size_t last_len;
    unsigned frames; /* that this side has sent */
    bool checks_order;
    uint8_t next[3]; /* number expected, by lane */
};

static struct coact__keys keys;
static struct side side[3];
static int64_t now;

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

static void
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

static void
open_both(void)
{
    now = LATE * MS;
    open_side(1, 0x1111111111111111);
    open_side(2, 0x2222222222222222);
}

static void
close_both(void)
{
    coact__session_fini(&side[1].session);
    coact__session_fini(&side[2].session);
}

/* The next frame of a side; 0 if it has none. */
static size_t
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

static void
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

/* Pass frames until there are none. */
static void
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

static void
tick_both(int64_t ns)
{
    now += ns;
    coact__session_tick(&side[1].session, now);
    coact__session_tick(&side[2].session, now);
}

static void
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

static int
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

START_TEST(a_handshake_takes_three_frames_and_the_first_data_frame)
{
    uint8_t frame[COACT__FRAME_MAX];
    open_both();
    coact__session_connected(&side[1].session, true, now);
    tick_both(0);
    size_t len = take_frame(1, frame);
    ck_assert_uint_eq(frame[0], COACT__FRAME_M1);
    give_frame(2, frame, len);
    coact__session_connected(&side[2].session, true, now);
    tick_both(0);
    len = take_frame(2, frame);
    ck_assert_uint_eq(frame[0], COACT__FRAME_M2);
    give_frame(1, frame, len);
    ck_assert_int_eq(side[1].ups, 1);
    ck_assert_int_eq(side[2].ups, 0); // no proof yet that 1 has the keys
    len = take_frame(1, frame);
    ck_assert_uint_eq(frame[0], COACT__FRAME_DATA);
    give_frame(2, frame, len);
    ck_assert_int_eq(side[2].ups, 1);
    ck_assert_uint_eq(side[1].up_incarnation, 0x22222222);
    ck_assert_uint_eq(side[2].up_incarnation, 0x11111111);
    close_both();
}
END_TEST

START_TEST(the_same_m1_again_gets_the_same_m2_again)
{
    uint8_t m1[COACT__FRAME_MAX];
    uint8_t m2[2][COACT__FRAME_MAX];
    open_both();
    coact__session_connected(&side[1].session, true, now);
    coact__session_connected(&side[2].session, true, now);
    coact__session_tick(&side[1].session, now);
    size_t len = take_frame(1, m1);
    for (int i = 0; i < 2; i++) {
        give_frame(2, m1, len);
        ck_assert_uint_eq(take_frame(2, m2[i]), COACT__HELLO_BYTES);
    }
    ck_assert_mem_eq(m2[0], m2[1], COACT__HELLO_BYTES);
    close_both();
}
END_TEST

START_TEST(messages_that_wait_leave_in_one_frame)
{
    go_up();
    unsigned before = side[1].frames;
    for (uint8_t i = 0; i < 200; i++) {
        uint8_t bytes[64] = {i};
        ck_assert_int_eq(send_bytes(1, i, 0, bytes, sizeof(bytes)), 0);
    }
    pass_all();
    ck_assert_uint_eq(side[1].frames, before + 1);
    ck_assert_uint_eq(side[2].messages, 200);
    ck_assert_uint_eq(side[2].last[0], 199);
    close_both();
}
END_TEST

START_TEST(a_message_of_no_bytes_is_a_message)
{
    go_up();
    ck_assert_int_eq(send_bytes(1, 0, 0, NULL, 0), 0);
    pass_all();
    ck_assert_uint_eq(side[2].messages, 1);
    ck_assert_uint_eq(side[2].last_len, 0);
    close_both();
}
END_TEST

START_TEST(a_missing_frame_ends_the_session)
{
    uint8_t frame[COACT__FRAME_MAX];
    go_up();
    ck_assert_int_eq(send_bytes(1, 0, 0, "a", 1), 0);
    ck_assert_uint_gt(take_frame(1, frame), 0); // and is lost
    ck_assert_int_eq(send_bytes(1, 0, 0, "b", 1), 0);
    size_t len = take_frame(1, frame);
    give_frame(2, frame, len);
    ck_assert_int_eq(side[2].downs, 1);
    ck_assert_int_eq(side[2].why, COACT__DOWN_GAP);
    ck_assert_uint_eq(side[2].messages, 0);
    ck_assert(side[2].session.wants_renew);
    close_both();
}
END_TEST

START_TEST(a_frame_twice_is_taken_once)
{
    uint8_t frame[COACT__FRAME_MAX];
    uint8_t again[COACT__FRAME_MAX];
    go_up();
    ck_assert_int_eq(send_bytes(1, 0, 0, "a", 1), 0);
    size_t len = take_frame(1, frame);
    memcpy(again, frame, len);
    give_frame(2, frame, len);
    give_frame(2, again, len);
    ck_assert_uint_eq(side[2].messages, 1);
    ck_assert_uint_eq(coact__counter_get(&side[2].counters.stale), 1);
    ck_assert_int_eq(side[2].downs, 0);
    close_both();
}
END_TEST

START_TEST(silence_of_four_heartbeats_ends_a_session_and_less_does_not)
{
    go_up();
    tick_both(399 * MS);
    ck_assert_int_eq(side[1].downs, 0);
    tick_both(1 * MS);
    ck_assert_int_eq(side[1].downs, 1);
    ck_assert_int_eq(side[1].why, COACT__DOWN_SILENT);
    close_both();
}
END_TEST

START_TEST(heartbeats_keep_an_idle_session_up)
{
    go_up();
    for (int i = 0; i < 100; i++) {
        tick_both(100 * MS);
        pass_all();
    }
    ck_assert_int_eq(side[1].downs + side[2].downs, 0);
    close_both();
}
END_TEST

START_TEST(who_is_heard_by_nobody_finds_out)
{
    uint8_t frame[COACT__FRAME_MAX];
    go_up();
    for (int i = 0; i < 6; i++) {
        tick_both(100 * MS);
        size_t len = take_frame(2, frame);
        if (len > 0) {
            give_frame(1, frame, len);
        }
        (void)take_frame(1, frame); // goes nowhere
    }
    ck_assert_int_eq(side[1].why, COACT__DOWN_UNHEARD);
    ck_assert_int_eq(side[2].why, COACT__DOWN_SILENT);
    close_both();
}
END_TEST

START_TEST(an_incarnation_that_shares_its_lower_half_is_not_let_in)
{
    go_up();
    coact__session_broken(&side[1].session);
    coact__session_broken(&side[2].session);
    coact__session_fini(&side[2].session);
    open_side(2, 0x9999999922222222);
    coact__session_connected(&side[1].session, true, now);
    coact__session_connected(&side[2].session, true, now);
    for (int i = 0; i < 10; i++) {
        tick_both(200 * MS);
        pass_all();
    }
    ck_assert_int_eq(side[1].ups, 1);
    ck_assert_uint_gt(coact__counter_get(&side[1].counters.clash), 0);
    close_both();
}
END_TEST

START_TEST(within_a_lane_long_and_short_messages_keep_their_order)
{
    static uint8_t bytes[70000];
    uint8_t frame[COACT__FRAME_MAX];
    unsigned frames_until_short = 0;
    go_up();
    side[2].checks_order = true;
    // Lanes 0 and 1 mix lengths, lane 2 is short and must not wait.
    for (uint8_t i = 0; i < 6; i++) {
        for (uint8_t lane = 0; lane < 3; lane++) {
            bytes[0] = lane;
            bytes[1] = i;
            size_t len = lane < 2 && i % 2 == 1 ? sizeof(bytes) : 100;
            ck_assert_int_eq(send_bytes(1, lane, 0, bytes, len), 0);
        }
    }
    while (side[2].next[2] < 6) {
        size_t len = take_frame(1, frame);
        ck_assert_uint_gt(len, 0);
        give_frame(2, frame, len);
        frames_until_short++;
    }
    ck_assert_uint_le(frames_until_short, 2);
    pass_all();
    ck_assert_uint_eq(side[2].messages, 18);
    close_both();
}
END_TEST

START_TEST(a_long_message_overtakes_nothing_of_its_lane)
{
    static uint8_t bytes[20000];
    go_up();
    side[2].checks_order = true;
    // Several frames of short ones are waiting when the long one comes.
    for (uint8_t i = 0; i < 100; i++) {
        bytes[1] = i;
        ck_assert_int_eq(send_bytes(1, 0, 0, bytes, 600), 0);
    }
    bytes[1] = 100;
    ck_assert_int_eq(send_bytes(1, 0, 0, bytes, sizeof(bytes)), 0);
    bytes[1] = 101;
    ck_assert_int_eq(send_bytes(1, 0, 0, bytes, 600), 0);
    pass_all();
    ck_assert_uint_eq(side[2].messages, 102);
    close_both();
}
END_TEST

static void
put_shorts(struct coact__outbox *box, int count)
{
    static uint8_t bytes[8000];
    struct iovec part = {bytes, sizeof(bytes)};
    for (int i = 0; i < count; i++) {
        ck_assert_int_eq(
            coact__outbox_put(box, 7, false, &part, 1, sizeof(bytes)), 0);
    }
}

START_TEST(parts_of_long_messages_and_batches_of_short_ones_take_turns)
{
    static uint8_t bytes[160000];
    struct coact__outbox_limits limits = {1 << 20, 1 << 16, 1 << 20};
    struct coact__outbox box;
    struct iovec part = {bytes, sizeof(bytes)};
    char turns[13] = "";
    ck_assert_int_eq(coact__outbox_init(&box, &limits), 0);
    coact__outbox_begin(&box, 1 << 20, 128 * 1024);
    for (uint64_t lane = 1; lane <= 2; lane++) {
        struct coact__item *item = coact__item_new(&part, 1, sizeof(bytes));
        ck_assert_ptr_nonnull(item);
        ck_assert_int_eq(coact__outbox_put_long(&box, lane, item), 0);
    }
    put_shorts(&box, 8);
    for (int i = 0; i < 12; i++) {
        struct coact__parcel *parcel = coact__outbox_take(&box, 1 << 20);
        ck_assert_ptr_nonnull(parcel);
        const uint8_t *record = parcel->plain + COACT__DATA_PREFIX;
        bool is_batch = record[3] >> 4 == COACT__RECORD_MESSAGE;
        turns[i] = is_batch ? 'b' : (char)('0' + coact__get_u32(record + 4));
        coact__outbox_done(&box, parcel);
    }
    ck_assert_str_eq(turns, "b0b1b0b10101");
    // The last quarter of a window is for short ones.
    size_t quarter = 32 * 1024;
    ck_assert_ptr_null(coact__outbox_take(&box, quarter));
    put_shorts(&box, 1);
    struct coact__parcel *parcel = coact__outbox_take(&box, quarter);
    ck_assert_ptr_nonnull(parcel);
    ck_assert_ptr_ne(parcel, box.scratch);
    coact__outbox_done(&box, parcel);
    coact__outbox_fini(&box);
}
END_TEST

/* Hand the next frame of one side to the other; its type. */
static int
pass_one(uint32_t from)
{
    uint8_t frame[COACT__FRAME_MAX];
    size_t len = take_frame(from, frame);
    ck_assert_uint_gt(len, 0);
    int type = frame[0];
    give_frame(3 - from, frame, len);
    return type;
}

START_TEST(an_answer_to_an_earlier_m1_begins_nothing)
{
    uint8_t m2[COACT__FRAME_MAX];
    open_both();
    coact__session_connected(&side[1].session, true, now);
    coact__session_connected(&side[2].session, true, now);
    coact__session_tick(&side[1].session, now);
    ck_assert_int_eq(pass_one(1), COACT__FRAME_M1);
    size_t len = take_frame(2, m2);
    ck_assert_int_eq(m2[0], COACT__FRAME_M2);
    coact__session_broken(&side[1].session); // forgets its M1
    give_frame(1, m2, len);
    ck_assert_int_eq(side[1].ups, 0);
    now += 200 * MS;
    coact__session_tick(&side[1].session, now); // another M1
    give_frame(1, m2, len);
    ck_assert_int_eq(side[1].ups, 0);
    ck_assert_uint_eq(coact__counter_get(&side[1].counters.stale), 2);
    ck_assert_int_eq(pass_one(1), COACT__FRAME_M1);
    ck_assert_int_eq(pass_one(2), COACT__FRAME_M2);
    ck_assert_int_eq(side[1].ups, 1);
    close_both();
}
END_TEST

START_TEST(an_m2_does_not_end_a_session_that_is_heard)
{
    uint8_t m2[COACT__FRAME_MAX];
    uint8_t data[COACT__FRAME_MAX];
    go_up();
    tick_both(200 * MS); // quiet for two heartbeats: a KNOCK is listened to
    coact__handshake_knock(&side[2].session.shake);
    ck_assert_int_eq(pass_one(2), COACT__FRAME_KNOCK);
    ck_assert_int_eq(pass_one(1), COACT__FRAME_M1);
    size_t m2_len = take_frame(2, m2);
    ck_assert_int_eq(m2[0], COACT__FRAME_M2);
    size_t data_len = take_frame(2, data);
    ck_assert_int_eq(data[0], COACT__FRAME_DATA);
    give_frame(1, data, data_len);
    give_frame(1, m2, m2_len);
    ck_assert_int_eq(side[1].ups, 1);
    ck_assert_int_eq(side[1].downs, 0);
    close_both();
}
END_TEST

START_TEST(a_connection_that_leads_nowhere_is_made_anew)
{
    uint8_t frame[COACT__FRAME_MAX];
    open_both();
    for (uint32_t id = 1; id <= 2; id++) {
        coact__session_connected(&side[id].session, true, now);
        int hellos = 0;
        for (int64_t ms = 0; ms < 750; ms += 50) {
            now += 50 * MS;
            coact__session_tick(&side[id].session, now);
            hellos += take_frame(id, frame) > 0;
            ck_assert(!side[id].session.wants_renew);
        }
        ck_assert_int_ge(hellos, 3);
        now += 100 * MS;
        coact__session_tick(&side[id].session, now);
        ck_assert(side[id].session.wants_renew);
    }
    close_both();
}
END_TEST

START_TEST(long_messages_wait_for_each_other_if_the_peer_has_little_room)
{
    static uint8_t bytes[100000];
    open_both();
    side[2].config.self.message_max = 120000;
    coact__session_connected(&side[1].session, true, now);
    coact__session_connected(&side[2].session, true, now);
    tick_both(0);
    pass_all();
    for (uint64_t lane = 0; lane < 5; lane++) {
        ck_assert_int_eq(send_bytes(1, lane, 0, bytes, sizeof(bytes)), 0);
    }
    pass_all();
    ck_assert_uint_eq(side[2].messages, 5);
    ck_assert_int_eq(side[1].downs + side[2].downs, 0);
    close_both();
}
END_TEST

/* The next frame of 1 to 2 has these three numbers: why 2 falls. */
static int
why_after_numbers(uint64_t granted, uint64_t heard)
{
    uint8_t plain[COACT__DATA_PREFIX] = {0};
    uint8_t frame[COACT__FRAME_MIN];
    go_up();
    struct coact__session *s = &side[1].session;
    struct coact__data data = {1, s->live.session_out, s->tx_seq};
    coact__put_u64(plain, granted);
    coact__put_u64(plain + 8, heard);
    coact__data_header_write(&data, frame);
    coact__crypto_seal(frame + COACT__DATA_HEADER, plain, sizeof(plain), frame,
                       COACT__DATA_HEADER, data.seq, s->live.tx);
    give_frame(2, frame, sizeof(frame));
    int why = side[2].why;
    close_both();
    return why;
}

START_TEST(numbers_that_go_back_or_cannot_be_end_the_session)
{
    go_up();
    uint64_t granted = side[2].session.credit;
    uint64_t heard = side[2].session.heard;
    uint64_t sent = side[2].session.tx_seq;
    close_both();
    ck_assert_int_eq(why_after_numbers(granted, heard), COACT__DOWN_NONE);
    ck_assert_int_eq(why_after_numbers(granted, sent), COACT__DOWN_NONE);
    ck_assert_int_eq(why_after_numbers(granted - 1, heard),
                     COACT__DOWN_PROTOCOL);
    ck_assert_int_eq(why_after_numbers(granted, sent + 1),
                     COACT__DOWN_PROTOCOL);
}
END_TEST

START_TEST(what_no_peer_takes_is_refused_at_once)
{
    static uint8_t bytes[(1 << 20) + 1];
    go_up();
    ck_assert_int_eq(send_bytes(1, 0, 0, bytes, sizeof(bytes)), -EOVERFLOW);
    ck_assert_int_eq(send_bytes(1, 0, 0, bytes, sizeof(bytes) - 1), 0);
    ck_assert_int_eq(send_bytes(1, 1, 0, bytes, sizeof(bytes) - 1), -EAGAIN);
    ck_assert_int_eq(send_bytes(1, 0, COACT__SEND_URGENT, bytes,
                                COACT__URGENT_BYTES_MAX + 1),
                     -EOVERFLOW);
    ck_assert_int_eq(send_bytes(1, 0, 0x80, bytes, 1), -EINVAL);
    side[1].up_incarnation++;
    ck_assert_int_eq(send_bytes(1, 0, 0, bytes, 1), -ENOTCONN);
    pass_all();
    ck_assert_uint_eq(side[2].messages, 1);
    close_both();
}
END_TEST

/* A frame of records that only a member with a fault, or of ill will, makes. */
static int
take_records(const uint8_t *records, size_t len, uint32_t window)
{
    struct coact__intake in;
    memset(&in, 0, sizeof(in));
    in.deliver = side[1].session.intake.deliver;
    in.context = &side[1].session;
    coact__intake_begin(&in, window, 100000);
    int rc = coact__intake_records(&in, records, len);
    coact__intake_clear(&in);
    ck_assert_ptr_null(in.partials);
    return rc;
}

static size_t
put_record(uint8_t *at, uint32_t kind, size_t claims)
{
    coact__put_u32(at, kind << 28 | (uint32_t)claims);
    return COACT__RECORD_HEADER + claims;
}

START_TEST(records_that_make_no_sense_end_the_session)
{
    uint8_t r[2048];
    go_up();
    memset(r, 0, sizeof(r));
    ck_assert_int_eq(take_records(r, put_record(r, 1, 10), 70000), 0);
    ck_assert_int_eq(take_records(r, put_record(r, 1, 10) - 1, 70000), -EPROTO);
    ck_assert_int_eq(take_records(r, 3, 70000), -EPROTO);
    for (uint32_t kind = 0; kind < 16; kind++) {
        size_t len = put_record(r, kind, 12);
        int want = kind == COACT__RECORD_MESSAGE ? 0 : -EPROTO;
        ck_assert_int_eq(take_records(r, len, 70000), want);
    }
    // A first part: longer than we take, than it says, or without bytes.
    coact__put_u64(r + 8, 100001);
    ck_assert_int_eq(take_records(r, put_record(r, 2, 100), 70000), -EPROTO);
    coact__put_u64(r + 8, UINT64_MAX);
    ck_assert_int_eq(take_records(r, put_record(r, 2, 100), 70000), -EPROTO);
    coact__put_u64(r + 8, 50);
    ck_assert_int_eq(take_records(r, put_record(r, 2, 100), 70000), -EPROTO);
    ck_assert_int_eq(take_records(r, put_record(r, 2, 12), 70000), -EPROTO);
    ck_assert_int_eq(take_records(r, put_record(r, 2, 11), 70000), -EPROTO);
    coact__put_u64(r + 8, 88);
    ck_assert_int_eq(take_records(r, put_record(r, 2, 100), 70000), 0);
    // Two of one id, and one without credit.
    coact__put_u64(r + 8, 200);
    size_t len = put_record(r, 2, 100);
    memcpy(r + len, r, len);
    ck_assert_int_eq(take_records(r, 2 * len, 70000), -EPROTO);
    ck_assert_int_eq(take_records(r, len, 103), -EPROTO);
    ck_assert_int_eq(take_records(r, len, 104), 0);
    close_both();
}
END_TEST

START_TEST(more_partial_messages_than_one_longest_are_not_kept)
{
    uint8_t r[COACT__PARTIAL_MAX * 40 + 80];
    size_t at = 0;
    go_up();
    for (uint32_t id = 0; id <= COACT__PARTIAL_MAX; id++) {
        coact__put_u32(r + at + 4, id);
        coact__put_u64(r + at + 8, 1000);
        at += put_record(r + at, COACT__RECORD_FIRST, 20);
        int want = id < COACT__PARTIAL_MAX ? 0 : -EPROTO;
        ck_assert_int_eq(take_records(r, at, 70000), want);
    }
    at = 0;
    for (uint32_t id = 0; id < 3; id++) {
        coact__put_u32(r + at + 4, id);
        coact__put_u64(r + at + 8, 50000);
        at += put_record(r + at, COACT__RECORD_FIRST, 20);
        ck_assert_int_eq(take_records(r, at, 70000), id < 2 ? 0 : -EPROTO);
    }
    close_both();
}
END_TEST

SUITE_MAIN("transport/session",
           a_handshake_takes_three_frames_and_the_first_data_frame,
           the_same_m1_again_gets_the_same_m2_again,
           messages_that_wait_leave_in_one_frame,
           a_message_of_no_bytes_is_a_message, a_missing_frame_ends_the_session,
           a_frame_twice_is_taken_once,
           silence_of_four_heartbeats_ends_a_session_and_less_does_not,
           heartbeats_keep_an_idle_session_up, who_is_heard_by_nobody_finds_out,
           an_incarnation_that_shares_its_lower_half_is_not_let_in,
           within_a_lane_long_and_short_messages_keep_their_order,
           a_long_message_overtakes_nothing_of_its_lane,
           parts_of_long_messages_and_batches_of_short_ones_take_turns,
           an_answer_to_an_earlier_m1_begins_nothing,
           an_m2_does_not_end_a_session_that_is_heard,
           a_connection_that_leads_nowhere_is_made_anew,
           long_messages_wait_for_each_other_if_the_peer_has_little_room,
           numbers_that_go_back_or_cannot_be_end_the_session,
           what_no_peer_takes_is_refused_at_once,
           records_that_make_no_sense_end_the_session,
           more_partial_messages_than_one_longest_are_not_kept)
