/* hardware.c - how much memory this machine has, as far as this process may use it.
 *
 * Why      Which model to recommend depends on the memory that is really ours; in a container
 *          /proc/meminfo tells the host's, and a model chosen by it is killed while it loads.
 * How      /proc/meminfo first, then every control group from our own up to the root, each of
 *          which may narrow the figures. Page cache that a group can give back isn't used up.
 * Rules    Files are small and read with a cap. Whatever is missing or odd leaves the figures as
 *          they were: a wrong recommendation is better than none. */
#include "core/model/hardware.h"

#include <fcntl.h>
#include <unistd.h>
#ifdef __APPLE__
#include <sys/sysctl.h>
#endif

#include "core/base/limits.h"
#include "core/base/memory.h"

#define GROUP_MAX_DEPTH 32

/* The value of "Name:   1234 kB" in bytes, 0 where it isn't there. */
static uint64_t meminfo_field(str text, str name)
{
    str line;
    while (str_next(&text, '\n', &line)) {
        if (!str_starts_with(line, name)) {
            continue;
        }
        str value = str_trim(str_sub(line, name.len, line.len));
        size_t end = str_find_char(value, ' ', 0);
        uint64_t kib;
        if (str_to_u64(str_sub(value, 0, end), UINT64_MAX / 1024, &kib)) {
            return kib * 1024;
        }
    }
    return 0;
}

bool hardware_parse_meminfo(str text, struct hardware_memory *out)
{
    uint64_t total = meminfo_field(text, STR("MemTotal:"));
    if (total == 0) {
        return false;
    }
    uint64_t available = meminfo_field(text, STR("MemAvailable:"));
    if (available == 0) {
        available = meminfo_field(text, STR("MemFree:")) + meminfo_field(text, STR("Buffers:")) +
                    meminfo_field(text, STR("Cached:"));
    }
    out->total = total;
    out->available = available < total ? available : total;
    return true;
}

bool hardware_parse_group_value(str text, uint64_t *out)
{
    return str_to_u64(str_trim(text), UINT64_MAX, out);
}

uint64_t hardware_parse_group_stat(str text, str field)
{
    str line;
    uint64_t value;
    while (str_next(&text, '\n', &line)) {
        if (line.len > field.len + 1 && str_starts_with(line, field) &&
            line.ptr[field.len] == ' ' &&
            str_to_u64(str_trim(str_sub(line, field.len, line.len)), UINT64_MAX, &value)) {
            return value;
        }
    }
    return 0;
}

/* Whether the comma-separated list of controllers names memory. */
static bool names_memory(str controllers)
{
    str one;
    while (str_next(&controllers, ',', &one)) {
        if (str_eq(one, STR("memory"))) {
            return true;
        }
    }
    return false;
}

str hardware_parse_group_path(str text, bool *is_v1)
{
    str line;
    str found = {0};
    *is_v1 = false;
    while (str_next(&text, '\n', &line)) {
        size_t first = str_find_char(line, ':', 0);
        size_t second = first == SIZE_MAX ? SIZE_MAX : str_find_char(line, ':', first + 1);
        if (second == SIZE_MAX) {
            continue;
        }
        str controllers = str_sub(line, first + 1, second);
        str path = str_trim_end(str_sub(line, second + 1, line.len));
        if (names_memory(controllers)) {
            *is_v1 = true;
            return path;
        }
        if (controllers.len == 0) {
            found = path;
        }
    }
    return found;
}

void hardware_limit(struct hardware_memory *m, uint64_t limit, uint64_t used, uint64_t reclaimable)
{
    if (m->total != 0 && limit >= m->total) {
        return;
    }
    uint64_t held = used > reclaimable ? used - reclaimable : 0;
    uint64_t left = limit > held ? limit - held : 0;
    m->total = limit;
    if (m->available == 0 || left < m->available) {
        m->available = left;
    }
    m->is_limited = true;
}

/* Reads a small file into `out` (cleared first); false where it can't be read. */
static bool read_small(const char *path, struct buf *out)
{
    buf_clear(out);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    ssize_t n = 0;
    do {
        char *room = buf_reserve(out, 4096);
        n = room == NULL ? 0 : read(fd, room, 4096);
        buf_commit(out, n > 0 ? (size_t)n : 0);
    } while (n > 0);
    close(fd);
    return n == 0;
}

struct group_files {
    const char *root, *limit, *used, *reclaimable;
};
static const struct group_files group_v2 = {"/sys/fs/cgroup", "memory.max", "memory.current",
                                            "inactive_file"};
static const struct group_files group_v1 = {"/sys/fs/cgroup/memory", "memory.limit_in_bytes",
                                            "memory.usage_in_bytes", "total_inactive_file"};

static bool read_group_file(const struct group_files *files, str group, const char *name,
                            struct buf *out)
{
    struct buf path = {0};
    buf_init(&path, 8 * KIB);
    buf_appendf(&path, "%s" STR_FMT "/%s", files->root, STR_ARG(group), name);
    bool is_read = !path.is_full && read_small(buf_cstr(&path), out);
    buf_release(&path);
    return is_read;
}

static void apply_group(const struct group_files *files, str group, struct hardware_memory *m,
                        struct buf *scratch)
{
    uint64_t limit;
    uint64_t used;
    if (!read_group_file(files, group, files->limit, scratch) ||
        !hardware_parse_group_value(buf_str(scratch), &limit) ||
        !read_group_file(files, group, files->used, scratch) ||
        !hardware_parse_group_value(buf_str(scratch), &used)) {
        return;
    }
    uint64_t reclaimable = 0;
    if (read_group_file(files, group, "memory.stat", scratch)) {
        reclaimable = hardware_parse_group_stat(buf_str(scratch), str_from(files->reclaimable));
    }
    hardware_limit(m, limit, used, reclaimable);
}

/* Our own group and everything above it, the root of the mount included: in a container with a
 * namespace of its own the path is "/" and the limit stands at the root. */
static void apply_groups(struct hardware_memory *m, struct buf *scratch)
{
    if (!read_small("/proc/self/cgroup", scratch)) {
        return;
    }
    bool is_v1;
    str path = hardware_parse_group_path(buf_str(scratch), &is_v1);
    char *copy = xstrndup(path.ptr != NULL ? path.ptr : "", path.len);
    str group = str_of(copy, path.len);
    for (int depth = 0; depth < GROUP_MAX_DEPTH; depth++) {
        while (group.len > 0 && group.ptr[group.len - 1] == '/') {
            group.len--;
        }
        apply_group(is_v1 ? &group_v1 : &group_v2, group, m, scratch);
        if (group.len == 0) {
            break;
        }
        while (group.len > 0 && group.ptr[group.len - 1] != '/') {
            group.len--;
        }
    }
    xfree(copy);
}

struct hardware_memory hardware_memory(void)
{
    struct hardware_memory m = {0};
#ifdef __APPLE__
    size_t len = sizeof m.total;
    if (sysctlbyname("hw.memsize", &m.total, &len, NULL, 0) != 0) {
        m.total = 0;
    }
#else
    struct buf scratch = {0};
    buf_init(&scratch, 256 * KIB);
    if (read_small("/proc/meminfo", &scratch)) {
        (void)hardware_parse_meminfo(buf_str(&scratch), &m);
    }
    apply_groups(&m, &scratch);
    buf_release(&scratch);
#endif
    return m;
}
