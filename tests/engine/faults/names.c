/* names.c - getaddrinfo as it fails: preloaded into a program whose network is to be broken.
 *
 * gone.local isn't known, broken.local is for the moment not, wrong.local is an address of another
 * network, hang.local takes for ever, and here.local is this machine. */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>

typedef int ask_fn(const char *, const char *, const struct addrinfo *, struct addrinfo **);

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **out)
{
    ask_fn *ask;
    *(void **)&ask = dlsym(RTLD_NEXT, "getaddrinfo");
    if (name && strcmp(name, "gone.local") == 0) {
        return EAI_NONAME;
    }
    if (name && strcmp(name, "broken.local") == 0) {
        return EAI_AGAIN;
    }
    if (name && strcmp(name, "wrong.local") == 0) {
        return ask("8.8.8.8", service, hints, out);
    }
    if (name && strcmp(name, "hang.local") == 0) {
        sleep(600);
        return EAI_AGAIN;
    }
    return ask(name && strcmp(name, "here.local") == 0 ? "127.0.0.1" : name, service, hints, out);
}
