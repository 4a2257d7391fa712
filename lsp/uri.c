/* uri.c - one normal form for the URIs that name documents.
 *
 * Why      A document that is opened under one spelling and changed under another would go out of
 *          step without anybody noticing.
 * Rules    Nothing here touches the disk. '?' and '#' belong to the path of a file, since many
 *          editors forget to escape them and no editor means a query by them. */
#include "lsp/uri.h"

#include "core/base/limits.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* The byte of the escape at `at`, or -1 where there is none. */
static int escaped_byte(str uri, size_t at)
{
    if (uri.ptr[at] != '%' || at + 2 >= uri.len) {
        return -1;
    }
    int high = hex_digit(uri.ptr[at + 1]);
    int low = hex_digit(uri.ptr[at + 2]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_unreserved(int c)
{
    return is_letter((char)c) || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
           c == '~';
}

/* Length of the scheme before ':', 0 where there is none. */
static size_t scheme_len(str uri)
{
    size_t i = 0;
    while (i < uri.len && (is_unreserved(uri.ptr[i]) || uri.ptr[i] == '+')) {
        i++;
    }
    return i < uri.len && uri.ptr[i] == ':' && is_letter(uri.ptr[0]) ? i : 0;
}

static enum err append_decoded(str text, struct buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        int byte = escaped_byte(text, i);
        if (byte == 0 || text.ptr[i] == '\0') {
            return ERR_INVALID;
        }
        buf_append_char(out, byte < 0 ? text.ptr[i] : (char)byte);
        i += byte < 0 ? 0 : 2;
    }
    return ERR_OK;
}

static enum err append_escapes(str text, struct buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        int byte = escaped_byte(text, i);
        if (byte == 0 || text.ptr[i] == '\0') {
            return ERR_INVALID;
        }
        if (byte < 0) {
            buf_append_char(out, text.ptr[i]);
            continue;
        }
        if (is_unreserved(byte)) {
            buf_append_char(out, (char)byte);
        } else {
            buf_appendf(out, "%%%02X", (unsigned)byte);
        }
        i += 2;
    }
    return ERR_OK;
}

/* Removes "." and ".." and empty segments from the absolute path out[from..]. */
static void remove_dots(struct buf *out, size_t from)
{
    size_t n = from;
    str path = str_sub(buf_str(out), from, out->len);
    bool is_folder = str_ends_with(path, STR("/"));
    size_t at = from;
    while (at < out->len) {
        size_t end = str_find_char(buf_str(out), '/', at + 1);
        end = end == SIZE_MAX ? out->len : end;
        str name = str_of(out->ptr + at + 1, end - at - 1);
        if (str_eq(name, STR(".."))) {
            while (n > from && out->ptr[--n] != '/') {
            }
        } else if (name.len > 0 && !str_eq(name, STR("."))) {
            memmove(out->ptr + n, out->ptr + at, end - at);
            n += end - at;
        }
        at = end;
    }
    buf_truncate(out, n);
    if (n == from || is_folder) {
        buf_append_char(out, '/');
    }
}

/* `rest` is what follows "file:". */
static enum err normalise_file(str rest, struct buf *key, str *path)
{
    str host = {"", 0};
    if (str_starts_with(rest, STR("//"))) {
        size_t slash = str_find_char(rest, '/', 2);
        host = str_sub(rest, 2, slash == SIZE_MAX ? rest.len : slash);
        rest = str_sub(rest, slash == SIZE_MAX ? rest.len : slash, rest.len);
    }
    bool is_here = host.len == 0 || str_eq_nocase(host, STR("localhost"));
    buf_append(key, STR("file://"));
    if (!is_here && append_escapes(host, key) != ERR_OK) {
        return ERR_INVALID;
    }
    size_t start = key->len;
    if (append_decoded(rest, key) != ERR_OK) {
        return ERR_INVALID;
    }
    if (key->len == start || key->ptr[start] != '/') {
        return ERR_INVALID;
    }
    remove_dots(key, start);
    char *drive = key->ptr + start + 1;
    if (key->len >= start + 3 && is_letter(drive[0]) && drive[1] == ':') {
        drive[0] = (char)(drive[0] | 0x20);
    }
    if (is_here) {
        *path = str_sub(buf_str(key), start, key->len);
    }
    return ERR_OK;
}

enum err uri_normalise(str uri, struct buf *key, str *path)
{
    str unused = {"", 0};
    path = path ? path : &unused;
    *path = str_of("", 0);
    buf_clear(key);
    size_t n_scheme = scheme_len(uri);
    if (uri.len > URI_MAX_BYTES || n_scheme == 0) {
        return ERR_INVALID;
    }
    str rest = str_sub(uri, n_scheme + 1, uri.len);
    enum err err = ERR_OK;
    if (str_eq_nocase(str_sub(uri, 0, n_scheme), STR("file"))) {
        err = normalise_file(rest, key, path);
    } else {
        for (size_t i = 0; i < n_scheme; i++) {
            char c = uri.ptr[i];
            buf_append_char(key, is_letter(c) ? (char)(c | 0x20) : c);
        }
        buf_append_char(key, ':');
        err = append_escapes(rest, key);
    }
    return key->is_full ? ERR_INVALID : err;
}
