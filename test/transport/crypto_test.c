/*
 * crypto_test.c - seals, session keys and key files.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/support/suite.h"

#include "runtime/transport/crypto.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[32];
static char path[64];

static void
make_dir(void)
{
    (void)snprintf(dir, sizeof(dir), "/tmp/coact-key-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    (void)snprintf(path, sizeof(path), "%s/key", dir);
}

static void
remove_dir(void)
{
    (void)unlink(path);
    ck_assert_int_eq(rmdir(dir), 0);
}

static void
write_file(const char *text, mode_t mode)
{
    (void)unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    ck_assert_int_eq(fchmod(fd, mode), 0);
    (void)close(fd);
}

START_TEST(a_key_file_is_made_once_and_read_back)
{
    uint8_t a[COACT__KEY_BYTES] = {0};
    uint8_t b[COACT__KEY_BYTES] = {0};
    struct stat status;
    char error[200] = "";
    make_dir();
    ck_assert_int_eq(coact__key_create(path, error, sizeof(error)), 0);
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert_uint_eq(status.st_mode & 0777, 0600);
    ck_assert_int_eq(status.st_size, 65);
    ck_assert_int_eq(coact__key_load(path, a, error, sizeof(error)), 0);
    ck_assert_int_eq(coact__key_load(path, b, NULL, 0), 0);
    ck_assert_mem_eq(a, b, sizeof(a));
    memset(b, 0, sizeof(b));
    ck_assert_mem_ne(a, b, sizeof(a));
    ck_assert_int_eq(coact__key_create(path, error, sizeof(error)), -EEXIST);
    ck_assert_ptr_nonnull(strstr(error, path));
    remove_dir();
}
END_TEST

START_TEST(a_key_file_that_others_may_touch_is_refused)
{
    static const char good[] = "00112233445566778899aabbccddeeff"
                               "00112233445566778899aabbccddeeff\n";
    uint8_t key[COACT__KEY_BYTES];
    char error[200] = "";
    make_dir();
    for (unsigned mode = 1; mode < 0100; mode++) {
        write_file(good, 0600 | mode);
        ck_assert_int_eq(coact__key_load(path, key, error, sizeof(error)),
                         -EACCES);
        ck_assert_ptr_nonnull(strstr(error, "chmod 600"));
    }
    write_file(good, 0400);
    ck_assert_int_eq(coact__key_load(path, key, NULL, 0), 0);
    ck_assert_uint_eq(key[31], 0xff);
    remove_dir();
}
END_TEST

START_TEST(a_key_file_of_another_shape_is_refused)
{
    uint8_t key[COACT__KEY_BYTES] = {7};
    char text[80];
    char error[200] = "";
    make_dir();
    ck_assert_int_eq(coact__key_load(path, key, error, sizeof(error)), -ENOENT);
    ck_assert_int_eq(coact__key_load(dir, key, error, sizeof(error)), -EBADMSG);
    for (size_t digits = 0; digits < 70; digits++) {
        memset(text, 'a', sizeof(text));
        (void)strcpy(text + digits, "\n");
        write_file(text, 0600);
        ck_assert_int_eq(coact__key_load(path, key, error, sizeof(error)),
                         digits == 64 ? 0 : -EBADMSG);
    }
    memset(text, 'a', 64);
    (void)strcpy(text + 64, "\nx");
    write_file(text, 0600);
    ck_assert_int_eq(coact__key_load(path, key, NULL, 0), -EBADMSG);
    (void)strcpy(text + 64, "");
    write_file(text, 0600);
    ck_assert_int_eq(coact__key_load(path, key, NULL, 0), -EBADMSG);
    (void)strcpy(text + 63, "g\n");
    write_file(text, 0600);
    ck_assert_int_eq(coact__key_load(path, key, NULL, 0), -EBADMSG);
    ck_assert_uint_eq(key[0], 0xaa); // from the one that was good
    remove_dir();
}
END_TEST

START_TEST(both_ends_of_a_handshake_have_the_same_keys_and_nobody_else)
{
    static const uint8_t secret[2][COACT__KEY_BYTES] = {{1}, {2}};
    struct coact__keys keys[2];
    struct coact__keypair lo;
    struct coact__keypair hi;
    uint8_t h1[COACT__HASH_BYTES] = {1};
    uint8_t h2[COACT__HASH_BYTES] = {2};
    uint8_t tx[3][COACT__KEY_BYTES];
    uint8_t rx[3][COACT__KEY_BYTES];
    ck_assert_int_eq(coact__crypto_start(), 0);
    coact__crypto_derive(&keys[0], secret[0]);
    coact__crypto_derive(&keys[1], secret[1]);
    coact__crypto_keypair(&lo);
    coact__crypto_keypair(&hi);
    ck_assert_int_eq(coact__crypto_session(&keys[0], true, &lo, hi.open, h1, h2,
                                           tx[0], rx[0]),
                     0);
    ck_assert_int_eq(coact__crypto_session(&keys[0], false, &hi, lo.open, h1,
                                           h2, tx[1], rx[1]),
                     0);
    ck_assert_mem_eq(tx[0], rx[1], COACT__KEY_BYTES);
    ck_assert_mem_eq(rx[0], tx[1], COACT__KEY_BYTES);
    ck_assert_mem_ne(tx[0], rx[0], COACT__KEY_BYTES);
    // Another cluster secret, or another transcript, gives other keys.
    ck_assert_int_eq(coact__crypto_session(&keys[1], false, &hi, lo.open, h1,
                                           h2, tx[2], rx[2]),
                     0);
    ck_assert_mem_ne(tx[1], tx[2], COACT__KEY_BYTES);
    h2[31] ^= 1;
    ck_assert_int_eq(coact__crypto_session(&keys[0], false, &hi, lo.open, h1,
                                           h2, tx[2], rx[2]),
                     0);
    ck_assert_mem_ne(tx[1], tx[2], COACT__KEY_BYTES);
    // The point that makes every secret the same one.
    uint8_t zero[COACT__KEY_BYTES] = {0};
    ck_assert_int_eq(
        coact__crypto_session(&keys[0], true, &lo, zero, h1, h2, tx[2], rx[2]),
        -EPROTO);
}
END_TEST

START_TEST(a_seal_opens_only_with_its_key_number_and_header)
{
    uint8_t key[COACT__KEY_BYTES] = {9};
    uint8_t header[24] = {1, 2, 3};
    uint8_t plain[100] = "what is sealed";
    uint8_t sealed[100 + COACT__SEAL_BYTES];
    uint8_t copy[sizeof(sealed)];
    ck_assert_int_eq(coact__crypto_start(), 0);
    coact__crypto_seal(sealed, plain, sizeof(plain), header, 24, 5, key);
    memcpy(copy, sealed, sizeof(sealed));
    ck_assert(!coact__crypto_open(copy, sizeof(copy), header, 24, 6, key));
    memcpy(copy, sealed, sizeof(sealed));
    header[0] ^= 1;
    ck_assert(!coact__crypto_open(copy, sizeof(copy), header, 24, 5, key));
    header[0] ^= 1;
    key[0] ^= 1;
    memcpy(copy, sealed, sizeof(sealed));
    ck_assert(!coact__crypto_open(copy, sizeof(copy), header, 24, 5, key));
    key[0] ^= 1;
    memcpy(copy, sealed, sizeof(sealed));
    ck_assert(coact__crypto_open(copy, sizeof(copy), header, 24, 5, key));
    ck_assert_mem_eq(copy, plain, sizeof(plain));
}
END_TEST

SUITE_MAIN("transport/crypto", a_key_file_is_made_once_and_read_back,
           a_key_file_that_others_may_touch_is_refused,
           a_key_file_of_another_shape_is_refused,
           both_ends_of_a_handshake_have_the_same_keys_and_nobody_else,
           a_seal_opens_only_with_its_key_number_and_header)
