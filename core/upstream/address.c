/* address.c - sorting addresses into this machine, its network, and the world. */
#include "core/upstream/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

static enum address_reach reach_of_ipv4(uint32_t a)
{
    if (a >> 24 == 127) {
        return ADDRESS_LOOPBACK;
    }
    bool is_lan = a >> 24 == 10 || a >> 20 == 0xac1 || a >> 16 == 0xc0a8 || a >> 16 == 0xa9fe;
    return is_lan ? ADDRESS_LAN : ADDRESS_PUBLIC;
}

static enum address_reach reach_of_ipv6(const struct in6_addr *a)
{
    if (IN6_IS_ADDR_LOOPBACK(a)) {
        return ADDRESS_LOOPBACK;
    }
    if (IN6_IS_ADDR_V4MAPPED(a)) {
        uint32_t ipv4;
        memcpy(&ipv4, a->s6_addr + 12, sizeof ipv4);
        return reach_of_ipv4(ntohl(ipv4));
    }
    bool is_unique_local = (a->s6_addr[0] & 0xfe) == 0xfc;
    return is_unique_local || IN6_IS_ADDR_LINKLOCAL(a) ? ADDRESS_LAN : ADDRESS_PUBLIC;
}

enum address_reach address_reach(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, address, sizeof in);
        return reach_of_ipv4(ntohl(in.sin_addr.s_addr));
    }
    if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, address, sizeof in6);
        return reach_of_ipv6(&in6.sin6_addr);
    }
    return ADDRESS_PUBLIC;
}

enum address_reach address_reach_of_host(str host)
{
    char text[INET6_ADDRSTRLEN];
    struct in_addr in;
    struct in6_addr in6;
    bool is_bracketed = str_starts_with(host, STR("[")) && str_ends_with(host, STR("]"));
    str bare = is_bracketed ? str_sub(host, 1, host.len - 1) : host;
    if (bare.len > 0 && bare.len < sizeof text) {
        memcpy(text, bare.ptr, bare.len);
        text[bare.len] = '\0';
        if (!is_bracketed && inet_pton(AF_INET, text, &in) == 1) {
            return reach_of_ipv4(ntohl(in.s_addr));
        }
        if (is_bracketed && inet_pton(AF_INET6, text, &in6) == 1) {
            return reach_of_ipv6(&in6);
        }
    }
    if (is_bracketed || host.len == 0) {
        return ADDRESS_PUBLIC;
    }
    if (str_eq_nocase(host, STR("localhost"))) {
        return ADDRESS_LOOPBACK;
    }
    bool is_number = host.ptr[0] >= '0' && host.ptr[0] <= '9'; /* "2130706433" is an address */
    bool is_own = str_find_char(host, '.', 0) == SIZE_MAX || str_ends_with(host, STR(".local"));
    return is_own && !is_number ? ADDRESS_LAN : ADDRESS_PUBLIC;
}
