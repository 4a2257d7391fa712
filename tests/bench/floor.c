/* floor.c - the least a language server can do: the measure for everything that does more.
 *
 * Answers initialize from a constant, ignores notifications, echoes any other request's id, keeps
 * no text. Built twice by tests/bench/run: as it is, and linked to the libraries that crucible-ls
 * links, since loading those costs more than everything here. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void reply(const char *id, size_t id_len, const char *result)
{
    char body[256];
    char out[320];
    int n = snprintf(body, sizeof body, "{\"jsonrpc\":\"2.0\",\"id\":%.*s,\"result\":%s}",
                     (int)(id_len < 64 ? id_len : 64), id, result);
    int len = snprintf(out, sizeof out, "Content-Length: %d\r\n\r\n%s", n, body);
    if (write(STDOUT_FILENO, out, (size_t)len) != len) {
        exit(1);
    }
}

static void handle(const char *body, size_t len)
{
    const char *id = memmem(body, len < 64 ? len : 64, "\"id\":", 5);
    if (memmem(body, len < 64 ? len : 64, "\"exit\"", 6) != NULL) {
        exit(0);
    }
    if (id != NULL) {
        id += 5;
        int is_first = memmem(body, len < 128 ? len : 128, "\"initialize\"", 12) != NULL;
        reply(id, strcspn(id, ",}"),
              is_first ? "{\"capabilities\":{\"textDocumentSync\":2}}" : "null");
    }
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--version") == 0) {
        return write(STDOUT_FILENO, "floor 1\n", 8) != 8;
    }
    size_t cap = 8u << 20;
    size_t len = 0;
    char *in = malloc(cap);
    ssize_t n;
    while (in != NULL && (n = read(STDIN_FILENO, in + len, cap - len)) > 0) {
        len += (size_t)n;
        size_t at = 0;
        const char *end;
        while ((end = memmem(in + at, len - at, "\r\n\r\n", 4)) != NULL) {
            size_t body_len = strtoul(in + at + sizeof "Content-Length:" - 1, NULL, 10);
            size_t body = (size_t)(end - in) + 4;
            if (body + body_len > len) {
                break;
            }
            handle(in + body, body_len);
            at = body + body_len;
        }
        memmove(in, in + at, len - at);
        len -= at;
    }
    free(in);
    return 0;
}
