/*
 * session_test.c - how two sessions that are passed each other's frames by hand
 * come up, stay up and fall.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/support/suite.h"
#include "test/transport/pair.h"

#include <string.h>

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

SUITE_MAIN("transport/session",
           a_handshake_takes_three_frames_and_the_first_data_frame,
           the_same_m1_again_gets_the_same_m2_again,
           a_missing_frame_ends_the_session, a_frame_twice_is_taken_once,
           silence_of_four_heartbeats_ends_a_session_and_less_does_not,
           heartbeats_keep_an_idle_session_up, who_is_heard_by_nobody_finds_out,
           an_incarnation_that_shares_its_lower_half_is_not_let_in,
           an_answer_to_an_earlier_m1_begins_nothing,
           an_m2_does_not_end_a_session_that_is_heard,
           a_connection_that_leads_nowhere_is_made_anew,
           numbers_that_go_back_or_cannot_be_end_the_session)
