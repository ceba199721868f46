/*
 * type_test.c - descriptors say what the struct is, and what a message owns
 * dies with it, once.
 *
 * SPDX-License-Identifier: MIT
 */
#include "mailbox/type.h"

#include "runtime/memory.h"
#include "test/mailbox/messages.h"
#include "test/mailbox/other_file.h"
#include "test/mailbox/random_message.h"
#include "test/support/suite.h"

#include <stdlib.h>
#include <string.h>

struct by_type {
    long as_long;
    unsigned long as_ulong;
    int as_int;
    short as_short;
    coact_text text;
    coact_bytes bytes;
    coact_ref ref;
    enum color color;
};

COACT_MESSAGE(by_type, (1, as_long), (2, as_ulong), (3, as_int), (4, as_short),
              (5, text), (6, bytes), (7, ref), (8, color));

struct forty {
    bool f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16,
        f17, f18, f19, f20, f21, f22, f23, f24, f25, f26, f27, f28, f29, f30,
        f31, f32, f33, f34, f35, f36, f37, f38, f39, f40;
};

COACT_MESSAGE(forty, (1, f1), (2, f2), (3, f3), (4, f4), (5, f5), (6, f6),
              (7, f7), (8, f8), (9, f9), (10, f10), (11, f11), (12, f12),
              (13, f13), (14, f14), (15, f15), (16, f16), (17, f17), (18, f18),
              (19, f19), (20, f20), (21, f21), (22, f22), (23, f23), (24, f24),
              (25, f25), (26, f26), (27, f27), (28, f28), (29, f29), (30, f30),
              (31, f31), (32, f32), (33, f33), (34, f34), (35, f35), (36, f36),
              (37, f37), (38, f38), (39, f39), (40, f40));

static int closed;
static int closed_last;

struct open_file {
    int number; /* not listed: owned */
    int32_t lines;
    coact_text path;
};

static void
open_file_close(struct open_file *file)
{
    closed++;
    closed_last = file->number;
}

COACT_MESSAGE_WITH_DESTRUCTOR(open_file, open_file_close, (1, lines),
                              (2, path));

struct holder {
    struct open_file file;
    COACT_REPEATED(struct open_file) files;
};

COACT_MESSAGE(holder, (1, file, NESTED, open_file),
              (2, files, REPEATED, open_file));

struct handle {
    int number;
};

static void
handle_close(struct handle *handle)
{
    closed++;
    closed_last = handle->number;
}

COACT_LOCAL_MESSAGE(handle, handle_close);

COACT_SIGNAL_REQUEST(how_many, place);

START_TEST(a_descriptor_has_the_layout_of_its_struct)
{
    struct coact_type *type = COACT_TYPE(owned);
    ck_assert_str_eq(type->name, "owned");
    ck_assert_uint_eq(type->size, sizeof(struct owned));
    ck_assert_uint_eq(type->align, _Alignof(struct owned));
    ck_assert_uint_eq(type->field_count, 6);
    ck_assert_ptr_null(type->reply);
    ck_assert_str_eq(type->fields[5].name, "numbers");
    ck_assert_uint_eq(type->fields[5].number, 16);
    ck_assert_uint_eq(type->fields[5].offset, offsetof(struct owned, numbers));
    ck_assert_ptr_eq(type->fields[5].of, COACT_TYPE(scalars));
}
END_TEST

START_TEST(the_type_of_a_member_says_its_kind)
{
    static const uint8_t kinds[] = {
        COACT_KIND_I64,  COACT_KIND_U64,   COACT_KIND_I32, COACT_KIND_I16,
        COACT_KIND_TEXT, COACT_KIND_BYTES, COACT_KIND_REF, COACT_KIND_I32};
    for (size_t i = 0; i < sizeof(kinds); i++) {
        ck_assert_uint_eq(COACT_TYPE(by_type)->fields[i].kind, kinds[i]);
    }
}
END_TEST

START_TEST(a_message_may_have_forty_fields)
{
    struct coact_type *type = COACT_TYPE(forty);
    ck_assert_uint_eq(type->field_count, 40);
    for (size_t i = 0; i < 40; i++) {
        ck_assert_uint_eq(type->fields[i].number, i + 1);
        ck_assert_uint_eq(type->fields[i].offset, i);
    }
}
END_TEST

START_TEST(a_request_knows_what_answers_it)
{
    coact_reply_of_where_is answer = {.doors = 3};
    ck_assert_uint_eq(sizeof(answer), sizeof(struct place));
    ck_assert_uint_eq(answer.doors, 3);
    ck_assert_ptr_eq(COACT_TYPE(where_is)->reply, COACT_TYPE(place));
    ck_assert_ptr_eq(COACT_TYPE(how_many)->reply, COACT_TYPE(place));
    ck_assert_uint_eq(COACT_TYPE(how_many)->field_count, 0);
    coact_reply_of_scalars *none = NULL;
    struct coact_no_reply *same = none;
    ck_assert_ptr_null(same);
}
END_TEST

START_TEST(the_id_of_a_message_is_fnv_1a_of_its_name)
{
    struct coact_type type = {.name = "a"};
    ck_assert_uint_eq(coact_type_id(&type), UINT64_C(0xaf63dc4c8601ec8c));
    ck_assert_uint_eq(type.id, UINT64_C(0xaf63dc4c8601ec8c));
    type = (struct coact_type){.name = "foobar"};
    ck_assert_uint_eq(coact_type_id(&type), UINT64_C(0x85944171f73967e8));
    ck_assert_uint_eq(coact_type_id(COACT_TYPE(place)),
                      UINT64_C(0xfd6f0e4e166f85bc));
}
END_TEST

START_TEST(two_files_that_know_a_message_agree_on_it)
{
    ck_assert_ptr_ne(other_file_tree(), COACT_TYPE(tree));
    ck_assert_uint_eq(coact_type_id(other_file_tree()),
                      coact_type_id(COACT_TYPE(tree)));
    ck_assert_uint_eq(coact_type_schema(other_file_tree()),
                      coact_type_schema(COACT_TYPE(tree)));
}
END_TEST

START_TEST(the_schema_hash_is_that_of_the_text_in_the_manual)
{
    ck_assert_uint_eq(coact_type_schema(COACT_TYPE(place)),
                      UINT64_C(0xca5286ef83d6c62a));
    ck_assert_uint_eq(coact_type_schema(COACT_TYPE(tree)),
                      UINT64_C(0x56a0d8838c1a8095));
    ck_assert_uint_eq(coact_type_schema(COACT_TYPE(nothing)),
                      UINT64_C(0xe53989b14496411a));
}
END_TEST

START_TEST(the_schema_hash_sees_every_change_but_the_order)
{
    struct coact_field fields[] = {
        {.name = "x", .number = 1, .kind = COACT_KIND_U8},
        {.name = "y", .number = 2, .kind = COACT_KIND_I32, .offset = 4}};
    struct coact_field swapped[] = {fields[1], fields[0]};
    struct coact_type type = {.name = "t", .fields = fields, .field_count = 2};
    uint64_t all[6];
    struct coact_type fresh = type;
    all[0] = coact_type_schema(&fresh);
    fresh = type;
    fresh.fields = swapped;
    ck_assert_uint_eq(coact_type_schema(&fresh), all[0]);
    for (int change = 1; change < 6; change++) {
        struct coact_field altered[] = {fields[0], fields[1]};
        fresh = type;
        fresh.fields = altered;
        fresh.name = change == 1 ? "u" : "t";
        altered[1].name = change == 2 ? "z" : "y";
        altered[1].number = change == 3 ? 3 : 2;
        altered[1].kind = change == 4 ? COACT_KIND_U32 : COACT_KIND_I32;
        altered[1].repeated = change == 5;
        all[change] = coact_type_schema(&fresh);
        for (int other = 0; other < change; other++) {
            ck_assert_uint_ne(all[change], all[other]);
        }
    }
}
END_TEST

START_TEST(only_a_message_that_owns_something_is_destroyed)
{
    ck_assert(!coact__type_owns(COACT_TYPE(scalars)));
    ck_assert(!coact__type_owns(COACT_TYPE(nothing)));
    ck_assert(coact__type_owns(COACT_TYPE(place)));
    ck_assert(coact__type_owns(COACT_TYPE(tree)));
    ck_assert(coact__type_owns(COACT_TYPE(handle)));
    ck_assert(coact__type_owns(COACT_TYPE(holder)));
}
END_TEST

START_TEST(a_text_of_its_own_outlives_its_source)
{
    char source[] = "name";
    coact_text text = coact_text_copy(source);
    memset(source, 'x', sizeof(source) - 1);
    ck_assert_str_eq(coact_text_cstr(text), "name");
    ck_assert_uint_eq(text.bytes, 4);
    coact_text taken = coact_text_take(&text);
    ck_assert_ptr_null(text.data);
    ck_assert_uint_eq(text.bytes, 0);
    ck_assert_str_eq(coact_text_cstr(text), "");
    ck_assert_str_eq(taken.data, "name");
    coact_text_free(&taken);
    ck_assert_ptr_null(taken.data);
    ck_assert_ptr_null(coact_text_copy(NULL).data);
    ck_assert_ptr_null(coact_text_copy("").data);
}
END_TEST

START_TEST(bytes_and_lists_start_as_zero)
{
    coact_bytes bytes = coact_bytes_new(3);
    ck_assert_mem_eq(bytes.data, "\0\0\0", 3);
    coact_bytes taken = coact_bytes_take(&bytes);
    ck_assert_ptr_null(bytes.data);
    coact_bytes copy = coact_bytes_copy("\1\2", 2);
    ck_assert_mem_eq(copy.data, "\1\2", 2);
    coact_bytes_free(&taken);
    coact_bytes_free(&copy);
    ck_assert_ptr_null(copy.data);
    uint32_t *list = coact_list_new(2, sizeof(*list));
    ck_assert(list[0] == 0 && list[1] == 0);
    coact_list_free(list);
    ck_assert_ptr_null(coact_list_new(0, 8));
    ck_assert_ptr_null(coact_list_new(SIZE_MAX / 2, 4));
}
END_TEST

START_TEST(memory_that_ran_out_is_found_before_a_send)
{
    struct owned message = {.numbers.huge = 1};
    ck_assert_int_eq(coact__type_check(COACT_TYPE(owned), &message), 0);
    coact__fail_nth(1, false);
    message.home.street = coact_text_copy("Rue");
    coact__fail_nth(0, false);
    ck_assert_int_eq(coact__type_check(COACT_TYPE(owned), &message), -ENOMEM);
    coact__type_destroy(COACT_TYPE(owned), &message);
    coact__fail_nth(1, true);
    message = (struct owned){.photo = coact_bytes_new(9)};
    struct lists lists = {.floats = {coact_list_new(5, sizeof(float)), 5}};
    coact__fail_nth(0, false);
    ck_assert_int_eq(coact__type_check(COACT_TYPE(owned), &message), -ENOMEM);
    ck_assert_int_eq(coact__type_check(COACT_TYPE(lists), &lists), -ENOMEM);
    coact__type_destroy(COACT_TYPE(lists), &lists);
}
END_TEST

/* A chain of that many trees. */
static struct tree
chain(int levels)
{
    struct tree tree = {.name = {NULL, 0}};
    for (int i = 1; i < levels; i++) {
        struct tree outer = {.name = {NULL, 0}};
        outer.kids.data = coact_list_new(1, sizeof(tree));
        ck_assert_ptr_nonnull(outer.kids.data);
        outer.kids.count = 1;
        outer.kids.data[0] = tree;
        tree = outer;
    }
    return tree;
}

START_TEST(messages_nest_sixteen_deep)
{
    struct tree good = chain(COACT__NESTING_MAX);
    struct tree bad = chain(COACT__NESTING_MAX + 1);
    ck_assert_int_eq(coact__type_check(COACT_TYPE(tree), &good), 0);
    ck_assert_int_eq(coact__type_check(COACT_TYPE(tree), &bad), -EINVAL);
    coact__type_destroy(COACT_TYPE(tree), &good);
    coact__type_destroy(COACT_TYPE(tree), &bad);
}
END_TEST

START_TEST(a_destructor_runs_once_wherever_the_message_is)
{
    struct open_file file = {.number = 7, .path = coact_text_copy("p")};
    coact_message_destroy(COACT_TYPE(open_file), &file);
    ck_assert_int_eq(closed, 1);
    ck_assert_int_eq(closed_last, 7);
    ck_assert_ptr_null(file.path.data);

    struct holder holder = {.file.number = 1};
    holder.files.data = coact_list_new(3, sizeof(struct open_file));
    holder.files.count = 3;
    holder.files.data[2].number = 9;
    coact_message_destroy(COACT_TYPE(holder), &holder);
    ck_assert_int_eq(closed, 5);
    ck_assert_int_eq(closed_last, 9);
}
END_TEST

START_TEST(a_copy_owns_its_own_and_not_what_is_unlisted)
{
    struct open_file file = {
        .number = 7, .lines = 3, .path = coact_text_copy("p")};
    struct open_file copy;
    ck_assert_int_eq(coact_message_copy(COACT_TYPE(open_file), &copy, &file),
                     0);
    ck_assert(coact__type_equal(COACT_TYPE(open_file), &copy, &file));
    ck_assert_int_eq(copy.number, 0);
    ck_assert_ptr_ne(copy.path.data, file.path.data);
    coact_message_destroy(COACT_TYPE(open_file), &copy);
    coact_message_destroy(COACT_TYPE(open_file), &file);
}
END_TEST

START_TEST(a_local_message_is_not_copied)
{
    struct handle handle = {4};
    struct handle copy = {5};
    ck_assert_int_eq(coact_message_copy(COACT_TYPE(handle), &copy, &handle),
                     -ENOTSUP);
    ck_assert_int_eq(copy.number, 0);
    coact_message_destroy(COACT_TYPE(handle), &handle);
    ck_assert_int_eq(closed_last, 4);
}
END_TEST

START_TEST(copies_equal_their_source_until_either_changes)
{
    static struct coact_type *const types[] = TEST_TYPES;
    uint64_t state = 1;
    for (size_t i = 0; i < 3000; i++) {
        struct coact_type *type = types[i % (sizeof(types) / sizeof(*types))];
        void *message = malloc(type->size);
        void *copy = malloc(type->size);
        ck_assert(random_message(type, message, &state));
        ck_assert_int_eq(coact__type_copy(type, copy, message), 0);
        ck_assert(coact__type_equal(type, copy, message));
        coact__type_destroy(type, message);
        coact__type_destroy(type, copy);
        free(message);
        free(copy);
    }
    struct lists one = {.texts = {coact_list_new(1, sizeof(coact_text)), 1}};
    struct lists two;
    ck_assert_int_eq(coact__type_copy(COACT_TYPE(lists), &two, &one), 0);
    two.texts.data[0] = coact_text_copy("x");
    ck_assert(!coact__type_equal(COACT_TYPE(lists), &one, &two));
    coact__type_destroy(COACT_TYPE(lists), &one);
    coact__type_destroy(COACT_TYPE(lists), &two);
}
END_TEST

/* The number of allocations that a copy of the message makes. */
static unsigned long
copy_with_each_allocation_failed(const struct lists *message)
{
    static const char zeros[sizeof(struct lists)];
    struct lists copy;
    int rc = -ENOMEM;
    unsigned long n = 0;
    while (rc != 0) {
        memset(&copy, 0xff, sizeof(copy));
        coact__fail_nth(++n, false);
        rc = coact__type_copy(COACT_TYPE(lists), &copy, message);
        coact__fail_nth(0, false);
        ck_assert(rc == 0 || rc == -ENOMEM);
        ck_assert(rc == 0 || memcmp(&copy, zeros, sizeof(copy)) == 0);
    }
    coact__type_destroy(COACT_TYPE(lists), &copy);
    return n - 1;
}

START_TEST(a_copy_that_runs_out_of_memory_leaves_nothing)
{
    struct lists message;
    unsigned long failed = 0;
    for (uint64_t seed = 0; seed < 20; seed++) {
        uint64_t state = seed;
        ck_assert(random_message(COACT_TYPE(lists), &message, &state));
        failed += copy_with_each_allocation_failed(&message);
        coact__type_destroy(COACT_TYPE(lists), &message);
    }
    ck_assert_uint_gt(failed, 200);
}
END_TEST

SUITE_MAIN("type", a_descriptor_has_the_layout_of_its_struct,
           the_type_of_a_member_says_its_kind, a_message_may_have_forty_fields,
           a_request_knows_what_answers_it,
           the_id_of_a_message_is_fnv_1a_of_its_name,
           two_files_that_know_a_message_agree_on_it,
           the_schema_hash_is_that_of_the_text_in_the_manual,
           the_schema_hash_sees_every_change_but_the_order,
           only_a_message_that_owns_something_is_destroyed,
           a_text_of_its_own_outlives_its_source, bytes_and_lists_start_as_zero,
           memory_that_ran_out_is_found_before_a_send,
           messages_nest_sixteen_deep,
           a_destructor_runs_once_wherever_the_message_is,
           a_copy_owns_its_own_and_not_what_is_unlisted,
           a_local_message_is_not_copied,
           copies_equal_their_source_until_either_changes,
           a_copy_that_runs_out_of_memory_leaves_nothing)
