/* private_test.c - folders and files that are trusted, and those that aren't. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/private.h"

struct bed {
    char top[32];
    char folder[64]; /* two levels below, not made yet */
    struct buf real;
    int fd;
    struct error error;
};

static int setup(void **state)
{
    struct bed *b = xcalloc(1, sizeof *b);
    memcpy(b->top, "/tmp/private_test_XXXXXX", sizeof "/tmp/private_test_XXXXXX");
    assert_non_null(mkdtemp(b->top));
    (void)snprintf(b->folder, sizeof b->folder, "%s/a/b", b->top);
    buf_init(&b->real, 4096);
    b->fd = -1;
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    static const char *const rest[] = {"a/b/file", "a/b/other", "a/b", "a/link", "a", ""};
    struct bed *b = *state;
    close(b->fd);
    for (size_t i = 0; i < sizeof rest / sizeof rest[0]; i++) {
        char path[64];
        (void)snprintf(path, sizeof path, "%s/%s", b->top, rest[i]);
        if (unlink(path) != 0) {
            (void)rmdir(path);
        }
    }
    assert_int_not_equal(access(b->top, F_OK), 0);
    buf_release(&b->real);
    xfree(b);
    return 0;
}

static enum err open_it(struct bed *b, const char *path)
{
    close(b->fd);
    b->fd = -1;
    b->error = (struct error){0};
    return private_folder(path, &b->real, &b->fd, &b->error);
}

static void folder_is_made_with_its_parents_for_the_user_alone(void **state)
{
    struct bed *b = *state;
    struct stat st;
    mode_t old = umask(0);
    assert_int_equal(open_it(b, b->folder), ERR_OK);
    umask(old);
    assert_string_equal(buf_cstr(&b->real), b->folder);
    assert_int_equal(fstat(b->fd, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(fcntl(b->fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    assert_int_equal(fstatat(b->fd, "..", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
}

static void path_without_links_is_given(void **state)
{
    struct bed *b = *state;
    char link[64], below[64];
    assert_int_equal(open_it(b, b->folder), ERR_OK);
    (void)snprintf(link, sizeof link, "%s/a/link", b->top);
    (void)snprintf(below, sizeof below, "%.32s/a/link/b", b->top);
    assert_int_equal(symlink(".", link), 0);
    assert_int_equal(open_it(b, below), ERR_OK);
    assert_string_equal(buf_cstr(&b->real), b->folder);
    assert_int_equal(open_it(b, link), ERR_REJECTED); /* the folder itself may not be one */
    assert_int_equal(b->fd, -1);
}

static void path_that_leads_nowhere_is_refused(void **state)
{
    struct bed *b = *state;
    assert_int_equal(open_it(b, "relative/path"), ERR_REJECTED);
    assert_int_equal(open_it(b, ""), ERR_REJECTED);
    assert_int_equal(open_it(b, "/proc/nowhere/else"), ERR_NOT_FOUND);
    assert_non_null(strstr(b->error.msg, "/proc/nowhere/else"));
}

static void folder_that_others_may_write_is_refused(void **state)
{
    struct bed *b = *state;
    struct stat st;
    assert_int_equal(open_it(b, b->folder), ERR_OK);
    assert_int_equal(chmod(b->folder, 0730), 0);
    assert_int_equal(open_it(b, b->folder), ERR_REJECTED);
    assert_non_null(strstr(b->error.msg, "chmod"));
    assert_int_equal(chmod(b->folder, 0750), 0);
    assert_int_equal(open_it(b, b->folder), ERR_OK);
    assert_int_equal(stat(b->folder, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    char parent[64];
    (void)snprintf(parent, sizeof parent, "%s/a", b->top);
    assert_int_equal(chmod(parent, 0770), 0);
    assert_int_equal(open_it(b, b->folder), ERR_REJECTED);
    assert_int_equal(chmod(parent, 01777), 0); /* nobody renames there what others own */
    assert_int_equal(open_it(b, b->folder), ERR_OK);
}

static enum err look(struct bed *b, const char *name)
{
    return private_file(b->fd, buf_cstr(&b->real), name, &b->error);
}

static void file_is_plain_ours_and_has_one_name(void **state)
{
    struct bed *b = *state;
    struct stat st;
    assert_int_equal(open_it(b, b->folder), ERR_OK);
    assert_int_equal(look(b, "file"), ERR_NOT_FOUND);
    int fd = openat(b->fd, "file", O_WRONLY | O_CREAT, 0600);
    close(fd);
    assert_int_equal(look(b, "file"), ERR_OK);
    assert_int_equal(fchmodat(b->fd, "file", 0640, 0), 0);
    assert_int_equal(look(b, "file"), ERR_OK);
    assert_int_equal(fstatat(b->fd, "file", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(fchmodat(b->fd, "file", 0602, 0), 0);
    assert_int_equal(look(b, "file"), ERR_REJECTED);
    assert_int_equal(fchmodat(b->fd, "file", 0600, 0), 0);
    assert_int_equal(linkat(b->fd, "file", b->fd, "other", 0), 0);
    assert_int_equal(look(b, "file"), ERR_REJECTED);
    assert_int_equal(unlinkat(b->fd, "other", 0), 0);
    assert_int_equal(symlinkat("file", b->fd, "other"), 0);
    assert_int_equal(look(b, "other"), ERR_REJECTED);
    assert_int_equal(look(b, "file"), ERR_OK);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(folder_is_made_with_its_parents_for_the_user_alone),
        TEST(path_without_links_is_given),
        TEST(path_that_leads_nowhere_is_refused),
        TEST(folder_that_others_may_write_is_refused),
        TEST(file_is_plain_ours_and_has_one_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
