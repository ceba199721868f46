/*
 * session_message_test.c - what sessions carry: short messages in batches, long
 * ones in parts, each lane in order; and records that make no sense.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/support/suite.h"
#include "test/transport/pair.h"

#include <errno.h>
#include <string.h>

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

SUITE_MAIN("transport/session_message", messages_that_wait_leave_in_one_frame,
           a_message_of_no_bytes_is_a_message,
           within_a_lane_long_and_short_messages_keep_their_order,
           a_long_message_overtakes_nothing_of_its_lane,
           parts_of_long_messages_and_batches_of_short_ones_take_turns,
           long_messages_wait_for_each_other_if_the_peer_has_little_room,
           what_no_peer_takes_is_refused_at_once,
           records_that_make_no_sense_end_the_session,
           more_partial_messages_than_one_longest_are_not_kept)
