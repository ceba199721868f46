/*
 * keyfile.c - the cluster's secret as a file of one line.
 *
 * A secret that others can read is no secret: such a file is refused, with the
 * command that mends it, and not used with a warning that nobody reads.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/oracle.h"
#include "runtime/transport/crypto.h"
#include "runtime/transport/say.h"

#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIGITS (2 * (size_t)COACT__KEY_BYTES)
#define LINE_BYTES (DIGITS + 1)

/* Bytes read, at most room; or a code. */
static ssize_t
read_all(int fd, char *buf, size_t room)
{
    size_t got = 0;
    while (got < room) {
        ssize_t n = read(fd, buf + got, room - got);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return -errno;
        }
        if (n == 0) {
            break;
        }
        got += (size_t)n;
    }
    return (ssize_t)got;
}

static int
write_all(int fd, const char *buf, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, buf, len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return -errno;
        }
        buf += n;
        len -= (size_t)n;
    }
    return fsync(fd) == 0 ? 0 : -errno;
}

static int
check_mode(int fd, const char *path, char *error, size_t error_bytes)
{
    struct stat status;
    if (fstat(fd, &status) != 0) {
        int code = -errno;
        return coact__say(code, error, error_bytes, "key file %s: %s", path,
                          coact_strerror(code));
    }
    if (!S_ISREG(status.st_mode)) {
        return coact__say(-EBADMSG, error, error_bytes,
                          "key file %s: not a file", path);
    }
    if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        return coact__say(-EACCES, error, error_bytes,
                          "key file %s: others have access to it; chmod 600 it",
                          path);
    }
    return 0;
}

static int
parse(const char *line, size_t len, uint8_t key[COACT__KEY_BYTES])
{
    size_t bytes = 0;
    if (len != LINE_BYTES || line[DIGITS] != '\n' ||
        sodium_hex2bin(key, COACT__KEY_BYTES, line, DIGITS, NULL, &bytes,
                       NULL) != 0 ||
        bytes != COACT__KEY_BYTES) {
        return -EBADMSG;
    }
    return 0;
}

int
coact__key_load(const char *path, uint8_t key[COACT__KEY_BYTES], char *error,
                size_t error_bytes)
{
    char line[LINE_BYTES + 1]; // one more, to see that there is no more
    uint8_t parsed[COACT__KEY_BYTES];
    // A FIFO without a writer must not hold us up: check_mode refuses it.
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        int code = -errno;
        return coact__say(code, error, error_bytes, "key file %s: %s", path,
                          coact_strerror(code));
    }
    int rc = check_mode(fd, path, error, error_bytes);
    if (rc != 0) {
        goto close_file;
    }
    ssize_t len = read_all(fd, line, sizeof(line));
    if (len < 0) {
        rc = coact__say((int)len, error, error_bytes, "key file %s: %s", path,
                        coact_strerror((int)len));
        goto close_file;
    }
    rc = parse(line, (size_t)len, parsed);
    if (rc != 0) {
        rc = coact__say(rc, error, error_bytes,
                        "key file %s: not one line of %zu hexadecimal digits",
                        path, DIGITS);
    } else {
        memcpy(key, parsed, sizeof(parsed));
    }
    coact__crypto_wipe(line, sizeof(line));
    coact__crypto_wipe(parsed, sizeof(parsed));
close_file:
    (void)close(fd);
    return rc;
}

int
coact__key_create(const char *path, char *error, size_t error_bytes)
{
    uint8_t key[COACT__KEY_BYTES];
    char line[LINE_BYTES + 1]; // sodium ends it with a NUL
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        int code = -errno;
        return coact__say(code, error, error_bytes, "key file %s: %s", path,
                          coact_strerror(code));
    }
    coact__oracle_random(key, sizeof(key));
    (void)sodium_bin2hex(line, sizeof(line), key, sizeof(key));
    line[DIGITS] = '\n';
    int rc = write_all(fd, line, LINE_BYTES);
    coact__crypto_wipe(key, sizeof(key));
    coact__crypto_wipe(line, sizeof(line));
    if (close(fd) != 0 && rc == 0) {
        rc = -errno;
    }
    if (rc != 0) {
        // Half a key is worse than none: the next start would fail on it.
        (void)unlink(path);
        return coact__say(rc, error, error_bytes, "key file %s: %s", path,
                          coact_strerror(rc));
    }
    return 0;
}
