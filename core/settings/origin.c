/* origin.c - where an endpoint's URL leads.
 *
 * Why      Loopback endpoints are used unasked, so "is it loopback" must not be fooled: by user
 *          names ("127.0.0.1@host"), by names that only look like addresses, by octal or short
 *          forms of addresses, or by characters that parsers of URLs disagree about.
 * Rules    Whatever isn't plainly loopback is remote, whatever isn't plainly a URL is invalid. */
#include "core/settings/origin.h"

#define URL_MAX_BYTES 2048u

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* The usual form: four decimal numbers without leading zeros. */
static bool is_ipv4_loopback(str host)
{
    str part;
    unsigned n_parts = 0;
    if (host.len == 0 || host.ptr[host.len - 1] == '.') {
        return false;
    }
    while (str_next(&host, '.', &part)) {
        uint64_t n;
        if (part.len > 3 || !str_to_u64(part, 255, &n) || (part.len > 1 && part.ptr[0] == '0')) {
            return false;
        }
        if (n_parts++ == 0 && n != 127) {
            return false;
        }
    }
    return n_parts == 4;
}

static bool is_host(str host)
{
    if (host.len == 0 || host.len > 255) {
        return false;
    }
    bool is_ipv6 = host.ptr[0] == '[';
    if (is_ipv6 && (host.len < 4 || host.ptr[host.len - 1] != ']')) {
        return false;
    }
    str inner = is_ipv6 ? str_sub(host, 1, host.len - 1) : host;
    for (size_t i = 0; i < inner.len; i++) {
        char c = inner.ptr[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool is_fine = is_ipv6 ? is_hex(c) || c == ':' || c == '.'
                               : is_letter || is_digit(c) || c == '-' || c == '.' || c == '_';
        if (!is_fine) {
            return false;
        }
    }
    return true;
}

/* Splits "host" or "host:port"; false where the port is none. */
static bool split_port(str authority, str *host)
{
    bool is_ipv6 = authority.len > 0 && authority.ptr[0] == '[';
    size_t from = is_ipv6 ? str_find_char(authority, ']', 0) : 0;
    if (from == SIZE_MAX) {
        return false;
    }
    size_t colon = str_find_char(authority, ':', from);
    *host = str_sub(authority, 0, colon);
    uint64_t port = 0;
    return colon == SIZE_MAX ||
           (str_to_u64(str_sub(authority, colon + 1, authority.len), 65535, &port) && port > 0);
}

enum origin_place origin_place(str url)
{
    size_t scheme = str_starts_with(url, STR("http://"))    ? 7
                    : str_starts_with(url, STR("https://")) ? 8
                                                            : 0;
    if (scheme == 0 || url.len > URL_MAX_BYTES) {
        return ORIGIN_INVALID;
    }
    for (size_t i = 0; i < url.len; i++) {
        unsigned char c = (unsigned char)url.ptr[i];
        if (c <= 0x20 || c >= 0x7f || c == '\\' || c == '?' || c == '#' || c == '"') {
            return ORIGIN_INVALID;
        }
    }
    str rest = str_sub(url, scheme, url.len);
    str host;
    if (!split_port(str_sub(rest, 0, str_find_char(rest, '/', 0)), &host) || !is_host(host)) {
        return ORIGIN_INVALID;
    }
    bool is_loopback = str_eq_nocase(host, STR("localhost")) || str_eq(host, STR("[::1]")) ||
                       is_ipv4_loopback(host);
    return is_loopback ? ORIGIN_LOOPBACK : ORIGIN_REMOTE;
}
