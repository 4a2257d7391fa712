/* memory_test.c - allocation that can't fail, and what happens when it would. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "core/base/memory.h"

static void memory_of_no_bytes_is_unique(void **state)
{
    (void)state;
    void *a = xmalloc(0), *b = xmalloc(0), *c = xcalloc(0, 8), *d = xmemdup(NULL, 0);
    assert_true(a && b && c && d);
    assert_ptr_not_equal(a, b);
    a = xrealloc(a, 0);
    assert_non_null(a);
    xfree(a);
    xfree(b);
    xfree(c);
    xfree(d);
    xfree(NULL);
}

static void memory_copies_are_whole(void **state)
{
    (void)state;
    char *bytes = xmemdup("a\0b", 3);
    assert_memory_equal(bytes, "a\0b", 3);
    char *text = xstrndup("abcdef", 3);
    assert_string_equal(text, "abc");
    char *empty = xstrndup(NULL, 0);
    assert_string_equal(empty, "");
    int *zeros = xcalloc(100, sizeof *zeros);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(zeros[i], 0);
    }
    xfree(bytes);
    xfree(text);
    xfree(empty);
    xfree(zeros);
}

struct outer {
    int first;
    int member;
};

static void container_of_finds_the_struct(void **state)
{
    (void)state;
    struct outer o = {1, 2};
    assert_ptr_equal(container_of(&o.member, struct outer, member), &o);
}

static void fail_assertion(void)
{
    ASSERT(1 + 1 == 3);
}

static void ask_for_too_much(void)
{
    xfree(xcalloc(SIZE_MAX / 2, 3));
}

static void copy_too_much(void)
{
    xfree(xstrndup("", SIZE_MAX));
}

/* What `act` writes to stderr before it ends by abort. */
static void assert_aborts(void (*act)(void), const char *message)
{
    int ends[2];
    char text[512] = "";
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        dup2(ends[1], STDERR_FILENO);
        act();
        _exit(0);
    }
    int status = 0;
    close(ends[1]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(read(ends[0], text, sizeof text - 1) > 0);
    close(ends[0]);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    if (!strstr(text, message)) {
        fail_msg("%s", text);
    }
}

static void failures_abort_with_their_reason(void **state)
{
    (void)state;
    assert_aborts(fail_assertion, "1 + 1 == 3");
    assert_aborts(copy_too_much, "out of memory");
    assert_aborts(ask_for_too_much, "out of memory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_of_no_bytes_is_unique),
        cmocka_unit_test(memory_copies_are_whole),
        cmocka_unit_test(container_of_finds_the_struct),
        cmocka_unit_test(failures_abort_with_their_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
