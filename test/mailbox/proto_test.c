/*
 * proto_test.c - programs in other languages read and write our messages.
 *
 * messages.proto is what coact_type_print_proto prints for messages.h; protoc-c
 * makes code of it when the tests are built.  That code, by other people, is
 * the proof of our encoding: it reads our bytes to equal values, and what it
 * writes we read.
 *
 * SPDX-License-Identifier: MIT
 */
#include "mailbox/codec.h"
#include "mailbox/type.h"
#include "messages.pb-c.h"
#include "runtime/memory.h"
#include "test/mailbox/codec_check.h"
#include "test/mailbox/messages.h"
#include "test/mailbox/random_message.h"
#include "test/support/suite.h"

#include <stdio.h>
#include <string.h>

#define BYTES_MAX 65536

struct text {
    size_t bytes;
    char data[8192];
};

static int
append(void *arg, const char *piece, size_t bytes)
{
    struct text *text = arg;
    ck_assert_uint_lt(text->bytes + bytes, sizeof(text->data));
    memcpy(text->data + text->bytes, piece, bytes);
    text->bytes += bytes;
    text->data[text->bytes] = '\0';
    return 0;
}

START_TEST(the_printed_proto_file_is_the_one_in_the_tree)
{
    static struct text printed;
    static char kept[sizeof(printed.data)];
    struct coact_type *types[] = {COACT_TYPE(scalars), COACT_TYPE(where_is),
                                  COACT_TYPE(nothing), COACT_TYPE(lists),
                                  COACT_TYPE(scalars)};
    ck_assert_int_eq(coact_type_print_proto(types, 5, "test", append, &printed),
                     0);
    FILE *file = fopen(PROTO_FILE, "r");
    ck_assert_ptr_nonnull(file);
    size_t bytes = fread(kept, 1, sizeof(kept) - 1, file);
    fclose(file);
    ck_assert_uint_eq(bytes, printed.bytes);
    ck_assert_str_eq(printed.data, kept);
}
END_TEST

static int
refuse(void *arg, const char *text, size_t bytes)
{
    (void)text;
    (void)bytes;
    int *calls = arg;
    return ++*calls == 3 ? -EIO : 0;
}

START_TEST(printing_ends_where_its_reader_fails)
{
    int calls = 0;
    struct coact_type *types[] = {COACT_TYPE(tree)};
    ck_assert_int_eq(coact_type_print_proto(types, 1, NULL, refuse, &calls),
                     -EIO);
    ck_assert_int_eq(calls, 3);
    coact__fail_nth(1, false);
    ck_assert_int_eq(coact_type_print_proto(types, 1, NULL, refuse, &calls),
                     -ENOMEM);
    coact__fail_nth(0, false);
    ck_assert_int_eq(calls, 3);
}
END_TEST

START_TEST(two_types_of_one_name_are_not_printed)
{
    static struct text printed;
    struct coact_type other = {.name = "tree"};
    struct coact_type ref = {.name = "coact_ref"};
    struct coact_type *types[] = {COACT_TYPE(tree), &other, &ref};
    ck_assert_int_eq(coact_type_print_proto(types, 2, NULL, append, &printed),
                     -EINVAL);
    ck_assert_int_eq(
        coact_type_print_proto(types + 2, 1, NULL, append, &printed), -EINVAL);
    ck_assert_uint_eq(printed.bytes, 0);
}
END_TEST

static const struct scalars numbers = {
    true,      200,       60000,     4000000000U, UINT64_MAX, -128, -32768,
    INT32_MIN, INT64_MIN, COLOR_ODD, -1.5F,       2.25,       -7};

static void
expect_numbers(const Test__Scalars *got)
{
    ck_assert_int_eq(got->flag, numbers.flag);
    ck_assert_uint_eq(got->small, numbers.small);
    ck_assert_uint_eq(got->medium, numbers.medium);
    ck_assert_uint_eq(got->large, numbers.large);
    ck_assert_uint_eq(got->huge, numbers.huge);
    ck_assert_int_eq(got->signed_small, numbers.signed_small);
    ck_assert_int_eq(got->signed_medium, numbers.signed_medium);
    ck_assert_int_eq(got->signed_large, numbers.signed_large);
    ck_assert_int_eq(got->signed_huge, numbers.signed_huge);
    ck_assert_int_eq(got->color, COLOR_ODD);
    ck_assert_float_eq(got->single_precision, numbers.single_precision);
    ck_assert_double_eq(got->double_precision, numbers.double_precision);
    ck_assert_int_eq(got->wide, numbers.wide);
}

START_TEST(protobuf_c_reads_our_bytes_to_equal_values)
{
    uint8_t buf[BYTES_MAX];
    struct owned sent = {.title = coact_text_copy("t\xc3\xaft"),
                         .photo = coact_bytes_copy("\0\1\2", 3),
                         .author = {1, 2, 3, 4},
                         .home.doors = 9,
                         .numbers = numbers};
    ptrdiff_t bytes =
        coact__codec_encode(COACT_TYPE(owned), &sent, buf, sizeof(buf));
    ck_assert_int_gt(bytes, 0);
    Test__Owned *got = test__owned__unpack(NULL, (size_t)bytes, buf);
    ck_assert_ptr_nonnull(got);
    ck_assert_str_eq(got->title, sent.title.data);
    ck_assert_uint_eq(got->photo.len, 3);
    ck_assert_mem_eq(got->photo.data, "\0\1\2", 3);
    ck_assert_uint_eq(got->author->node, 1);
    ck_assert_uint_eq(got->author->incarnation, 2);
    ck_assert_uint_eq(got->author->slot, 3);
    ck_assert_uint_eq(got->author->generation, 4);
    ck_assert_ptr_null(got->desk);
    ck_assert_str_eq(got->home->street, "");
    ck_assert_uint_eq(got->home->doors, 9);
    expect_numbers(got->numbers);
    test__owned__free_unpacked(got, NULL);
    coact__type_destroy(COACT_TYPE(owned), &sent);
}
END_TEST

START_TEST(protobuf_c_reads_our_lists)
{
    uint8_t buf[BYTES_MAX];
    static int16_t mediums[] = {0, -1, INT16_MIN};
    static enum color colors[] = {COLOR_ODD, COLOR_BLUE};
    static double doubles[] = {0.5, -0.0};
    static char word[] = "w";
    static coact_text texts[] = {{word, 1}, {NULL, 0}};
    static struct place places[] = {{{NULL, 0}, 0}, {{word, 1}, 2}};
    struct lists sent = {.mediums = {mediums, 3},
                         .colors = {colors, 2},
                         .doubles = {doubles, 2},
                         .texts = {texts, 2},
                         .places = {places, 2}};
    ptrdiff_t bytes =
        coact__codec_encode(COACT_TYPE(lists), &sent, buf, sizeof(buf));
    Test__Lists *got = test__lists__unpack(NULL, (size_t)bytes, buf);
    ck_assert_ptr_nonnull(got);
    ck_assert_uint_eq(got->n_mediums, 3);
    ck_assert_int_eq(got->mediums[1], -1);
    ck_assert_int_eq(got->mediums[2], INT16_MIN);
    ck_assert_uint_eq(got->n_colors, 2);
    ck_assert_int_eq(got->colors[0], COLOR_ODD);
    ck_assert_uint_eq(got->n_doubles, 2);
    ck_assert_double_eq(got->doubles[0], 0.5);
    ck_assert_uint_eq(got->n_texts, 2);
    ck_assert_str_eq(got->texts[0], "w");
    ck_assert_str_eq(got->texts[1], "");
    ck_assert_uint_eq(got->n_places, 2);
    ck_assert_uint_eq(got->places[1]->doors, 2);
    test__lists__free_unpacked(got, NULL);
}
END_TEST

START_TEST(we_read_what_protobuf_c_writes)
{
    uint8_t buf[1024];
    static char title[] = "title";
    static uint8_t photo[] = {7, 0};
    Test__Scalars scalars;
    test__scalars__init(&scalars);
    scalars.flag = 1;
    scalars.small = 200;
    scalars.signed_small = -128;
    scalars.huge = UINT64_MAX;
    scalars.color = COLOR_ODD;
    scalars.single_precision = 0.5F;
    Test__CoactRef desk;
    test__coact_ref__init(&desk);
    desk.incarnation = 5;
    desk.generation = UINT32_MAX;
    Test__Owned sent;
    test__owned__init(&sent);
    sent.title = title;
    sent.photo.data = photo;
    sent.photo.len = sizeof(photo);
    sent.desk = &desk;
    sent.numbers = &scalars;
    size_t bytes = test__owned__pack(&sent, buf);
    struct owned got;
    ck_assert_int_eq(
        coact__codec_decode(COACT_TYPE(owned), buf, bytes, &got, NULL), 0);
    ck_assert_str_eq(got.title.data, title);
    ck_assert_uint_eq(got.photo.bytes, 2);
    ck_assert_mem_eq(got.photo.data, photo, 2);
    ck_assert(coact_ref_is_none(got.author));
    ck_assert_uint_eq(got.desk.ref.incarnation, 5);
    ck_assert_uint_eq(got.desk.ref.generation, UINT32_MAX);
    ck_assert_uint_eq(got.numbers.small, 200);
    ck_assert_int_eq(got.numbers.signed_small, -128);
    ck_assert_uint_eq(got.numbers.huge, UINT64_MAX);
    ck_assert_int_eq(got.numbers.color, COLOR_ODD);
    ck_assert_float_eq(got.numbers.single_precision, 0.5F);
    coact__type_destroy(COACT_TYPE(owned), &got);
}
END_TEST

/* To protobuf-c and back, without looking inside. */
static void
go_there_and_back(struct coact_type *type,
                  const ProtobufCMessageDescriptor *theirs, uint64_t *state)
{
    static uint8_t ours[BYTES_MAX];
    static uint8_t back[BYTES_MAX];
    void *message = malloc(type->size);
    void *returned = malloc(type->size);
    ck_assert(random_message(type, message, state));
    ptrdiff_t bytes = coact__codec_encode(type, message, ours, sizeof(ours));
    ck_assert_int_ge(bytes, 0);
    ProtobufCMessage *between =
        protobuf_c_message_unpack(theirs, NULL, (size_t)bytes, ours);
    ck_assert_ptr_nonnull(between);
    ck_assert_uint_eq(between->n_unknown_fields, 0);
    ck_assert_uint_le(protobuf_c_message_get_packed_size(between),
                      sizeof(back));
    size_t length = protobuf_c_message_pack(between, back);
    protobuf_c_message_free_unpacked(between, NULL);
    ck_assert_int_eq(coact__codec_decode(type, back, length, returned, NULL),
                     0);
    ck_assert(coact__type_equal(type, message, returned));
    coact__type_destroy(type, message);
    coact__type_destroy(type, returned);
    free(message);
    free(returned);
}

START_TEST(random_messages_survive_the_way_through_protobuf_c)
{
    uint64_t state = 77;
    for (int i = 0; i < 3000; i++) {
        go_there_and_back(COACT_TYPE(scalars), &test__scalars__descriptor,
                          &state);
        go_there_and_back(COACT_TYPE(tree), &test__tree__descriptor, &state);
        go_there_and_back(COACT_TYPE(owned), &test__owned__descriptor, &state);
        go_there_and_back(COACT_TYPE(lists), &test__lists__descriptor, &state);
        go_there_and_back(COACT_TYPE(nothing), &test__nothing__descriptor,
                          &state);
    }
}
END_TEST

SUITE_MAIN("proto", the_printed_proto_file_is_the_one_in_the_tree,
           printing_ends_where_its_reader_fails,
           two_types_of_one_name_are_not_printed,
           protobuf_c_reads_our_bytes_to_equal_values,
           protobuf_c_reads_our_lists, we_read_what_protobuf_c_writes,
           random_messages_survive_the_way_through_protobuf_c)
