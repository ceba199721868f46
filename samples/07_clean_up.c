/*
 * 07_clean_up.c - an actor leaves nothing behind, however it ends.
 *
 * What is given to coact_defer runs when the actor ends: because it returned,
 * failed, was killed, or its supervisor shut it down; newest first.  The memory
 * of coact_arena goes then too.  Here the writer is killed in the middle of a
 * wait; its file is closed, and what it had written is there.
 *
 * SPDX-License-Identifier: MIT
 */
#include <coact/actor.h>
#include <coact/runtime.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct line {
    coact_text text;
};
struct written {
    uint64_t lines;
};
COACT_MESSAGE(written, (1, lines));
COACT_REQUEST(line, written, (1, text));

COACT_MAILBOX(writer, line);

static void
must(int rc)
{
    if (rc != 0) {
        fprintf(stderr, "%s\n", coact_strerror(rc));
        _Exit(1);
    }
}

static void
close_file(void *file)
{
    fclose(file);
    printf("the file is closed\n");
}

static void
writer_body(writer_self self, void *arg)
{
    FILE *file = fopen(arg, "w");
    COACT_CHECK(file != NULL);
    must(coact_defer(close_file, file));
    for (uint64_t lines = 0;;) {
        COACT_RECEIVE(self, COACT_FOREVER) {
        case COACT_ON(line, m): {
            fprintf(file, "%s\n", coact_text_cstr(m->text));
            coact_reply(m, .lines = ++lines);
        } break;
        }
    }
}

static void
write_and_kill(char *path)
{
    writer_ref writer;
    struct written written;
    must(coact_spawn(writer, &writer, writer_body, path));
    must(coact_ask(writer, line, &written, coact_in_ms(1000),
                   .text = coact_text_copy("what is written stays")));
    must(coact_kill(writer.ref));
    must(coact_join(writer.ref, COACT_FOREVER, NULL));
    printf("the writer has ended\n");
}

int
main(void)
{
    const struct coact_runtime_options options = {0};
    struct coact_runtime *runtime;
    must(coact_start(&options, &runtime));
    must(coact_attach(runtime));

    char path[] = "/tmp/coact-sample-XXXXXX";
    int fd = mkstemp(path);
    must(fd < 0 ? -EIO : 0);
    write_and_kill(path);

    char text[64] = "";
    must(read(fd, text, sizeof(text) - 1) > 0 ? 0 : -EIO);
    printf("%s", text);
    close(fd);
    remove(path);

    coact_detach();
    must(coact_stop(runtime, COACT_FOREVER));
    must(coact_free(runtime));
    return 0;
}
