/* http_url.c - taking an endpoint's URL apart, strictly.
 *
 * Why      Two parsers that read one URL differently are how a key ends up at another host. What
 *          isn't plainly scheme, host, port and path is refused here, before libcurl sees it. */
#include "core/upstream/http.h"

#include "core/upstream/address.h"

#define URL_MAX_BYTES  2048u
#define HOST_MAX_BYTES 255u

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_host_char(char c, bool is_ipv6)
{
    if (is_ipv6) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') ||
               c == ':' || c == '.';
    }
    return is_alnum(c) || c == '.' || c == '-' || c == '_';
}

/* Cuts the host off `authority`; what is left is "" or ":port". */
static bool cut_host(str *authority, str *host)
{
    bool is_ipv6 = str_starts_with(*authority, STR("["));
    size_t end = str_find_char(*authority, is_ipv6 ? ']' : ':', 0);
    if (is_ipv6 && end == SIZE_MAX) {
        return false;
    }
    end = end == SIZE_MAX ? authority->len : end + is_ipv6;
    *host = str_sub(*authority, 0, end);
    *authority = str_sub(*authority, end, authority->len);
    str bare = is_ipv6 ? str_sub(*host, 1, host->len - 1) : *host;
    for (size_t i = 0; i < bare.len; i++) {
        if (!is_host_char(bare.ptr[i], is_ipv6)) {
            return false;
        }
    }
    return bare.len > 0 && bare.len <= HOST_MAX_BYTES;
}

static bool is_path(str path)
{
    for (size_t i = 0; i < path.len; i++) {
        char c = path.ptr[i];
        if (c <= ' ' || c >= 0x7f || c == '\\' || c == '"' || c == '<' || c == '>') {
            return false;
        }
    }
    return str_find(path, STR("/../"), 0) == SIZE_MAX && !str_ends_with(path, STR("/.."));
}

static str lower(struct arena *arena, str s)
{
    char *copy = arena_alloc(arena, s.len + 1);
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        copy[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    return str_of(copy, s.len);
}

static enum err parse_authority(str authority, bool is_https, struct arena *arena, str *origin,
                                struct error *why)
{
    str host;
    uint64_t port = is_https ? 443 : 80;
    if (str_find_char(authority, '@', 0) != SIZE_MAX) {
        return error_set(why, ERR_INVALID, "an url must not hold a user name or password");
    }
    if (!cut_host(&authority, &host)) {
        return error_set(why, ERR_INVALID, "the url's host is not a name or an address");
    }
    if (authority.len > 0 && (!str_to_u64(str_sub(authority, 1, authority.len), 65535, &port) ||
                              authority.ptr[0] != ':' || port == 0)) {
        return error_set(why, ERR_INVALID, "the url's port must be a number from 1 to 65535");
    }
    if (str_eq(host, STR("0.0.0.0")) || str_eq(host, STR("[::]"))) {
        return error_set(why, ERR_INVALID,
                         STR_FMT " is where servers listen; to reach one here use 127.0.0.1",
                         STR_ARG(host));
    }
    host = lower(arena, host);
    *origin = arena_printf(arena, "%s://" STR_FMT ":%u", is_https ? "https" : "http", STR_ARG(host),
                           (unsigned)port);
    return ERR_OK;
}

enum err http_parse_url(str url, struct arena *arena, str *origin, str *base_path,
                        struct error *why)
{
    size_t colon = str_find(url, STR("://"), 0);
    str scheme = colon == SIZE_MAX ? STR("") : str_sub(url, 0, colon);
    bool is_https = str_eq_nocase(scheme, STR("https"));
    if (!is_https && !str_eq_nocase(scheme, STR("http"))) {
        return error_set(why, ERR_INVALID, "an url must begin with http:// or https://");
    }
    if (url.len > URL_MAX_BYTES) {
        return error_set(why, ERR_INVALID, "the url is longer than %u bytes", URL_MAX_BYTES);
    }
    str rest = str_sub(url, colon + 3, url.len);
    if (str_find_char(rest, '?', 0) != SIZE_MAX || str_find_char(rest, '#', 0) != SIZE_MAX) {
        return error_set(why, ERR_INVALID, "an endpoint's url must not hold a query (? or #)");
    }
    size_t slash = str_find_char(rest, '/', 0);
    str path = slash == SIZE_MAX ? STR("") : str_sub(rest, slash, rest.len);
    while (str_ends_with(path, STR("/"))) {
        path.len--;
    }
    if (!is_path(path)) {
        return error_set(why, ERR_INVALID, "the url's path holds what must be escaped");
    }
    *base_path = arena_dup(arena, path);
    return parse_authority(str_sub(rest, 0, slash), is_https, arena, origin, why);
}

/* The host part of an origin that http_parse_url gave. */
static str host_of(str origin)
{
    size_t scheme = str_find(origin, STR("://"), 0);
    str rest = scheme == SIZE_MAX ? origin : str_sub(origin, scheme + 3, origin.len), host;
    return cut_host(&rest, &host) ? host : STR("");
}

bool http_is_loopback(str origin)
{
    return address_reach_of_host(host_of(origin)) == ADDRESS_LOOPBACK;
}

bool http_is_lan(str origin)
{
    return address_reach_of_host(host_of(origin)) == ADDRESS_LAN;
}
