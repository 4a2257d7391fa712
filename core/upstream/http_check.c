/* http_check.c - keeping what the settings say from changing what a request is.
 *
 * Why      A line break in a header or a key starts another header; a length or an encoding that
 *          isn't libcurl's own lets one message end inside another. */
#include "core/upstream/http_check.h"

#include <string.h>

static bool is_plain_text(str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if ((c < ' ' && c != '\t') || c == 0x7f) {
            return false;
        }
    }
    return true;
}

static bool is_header_name(str s)
{
    static const char others[] = "!#$%&'*+-.^_`|~";
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        bool is_alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!is_alnum && (c == '\0' || !strchr(others, c))) {
            return false;
        }
    }
    return s.len > 0;
}

/* Headers that frame the message or change how its body is read are libcurl's own. */
static bool is_own_header(str name)
{
    static const char *const own[] = {
        "Content-Length", "Transfer-Encoding", "Accept-Encoding", "Connection", "Expect", "TE",
        "Upgrade"};
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        if (str_eq_nocase(name, str_from(own[i]))) {
            return true;
        }
    }
    return false;
}

enum err http_check_header(str name, str value, const char *place, struct error *why)
{
    if (!is_header_name(name) || value.len == 0 || !is_plain_text(value)) {
        return error_set(why, ERR_INVALID,
                         "a header or the key for %s is empty or holds a line break", place);
    }
    if (is_own_header(name)) {
        return error_set(why, ERR_INVALID, "the header " STR_FMT " for %s can't be set",
                         STR_ARG(name), place);
    }
    return ERR_OK;
}

bool http_is_url_text(str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] <= ' ' || s.ptr[i] >= 0x7f) {
            return false;
        }
    }
    return true;
}

/* With its length, so that no two lists of parts look alike. */
static void put_part(struct buf *out, str part)
{
    uint64_t len = part.len;
    buf_append(out, str_of((const char *)&len, sizeof len));
    buf_append(out, part);
}

void http_identify(const struct http_target *target, struct buf *out)
{
    const str parts[] = {target->origin,  target->key,         target->key_header, target->proxy,
                         target->ca_file, target->client_cert, target->client_key};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        put_part(out, parts[i]);
    }
    for (size_t i = 0; i < target->n_headers; i++) {
        put_part(out, target->headers[i]);
    }
    buf_append_char(out, target->is_loopback_only ? '1' : '0');
}
