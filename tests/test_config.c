/* Options of a machine: text to configuration and back, and machines that cannot be.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "config_line.h"
#include "machine.h"
#include "tap.h"

static char err[512];

static void accepts(const char *name, const char *value)
{
    struct machine_config c;
    config_init(&c, ARCH_I386);
    ok(config_set(&c, name, value, err, sizeof err), "%s=%s is understood", name, value);
}

static void refuses(const char *name, const char *value, const char *remedy)
{
    struct machine_config c, before;
    config_init(&c, ARCH_I386);
    before = c;
    err[0] = 0;
    ok(!config_set(&c, name, value, err, sizeof err), "%s=%s is refused", name, value);
    ok(strstr(err, remedy) != NULL, "... with a remedy: %s", err);
    ok(!memcmp(&c, &before, sizeof c), "... and the configuration is as before");
}

static void round_trip(const char *line)
{
    struct machine_config c, d;
    char text[4096];
    for (int pass = 0; pass < 2; pass++) {
        struct machine_config *to = pass ? &d : &c;
        if (!config_from_line(to, pass ? text : line, err, sizeof err)) {
            ok(false, "%s: %s", line, err);
            return;
        }
        config_format(text, sizeof text, to);
    }
    ok(!memcmp(&c, &d, sizeof c), "%s", text);
    is_str(text, line, "printed as it was written");
}

static void cannot_be(const char *line, const char *remedy)
{
    struct machine_config c;
    if (!config_from_line(&c, line, err, sizeof err)) {
        ok(false, "%s: %s", line, err);
    }
    err[0] = 0;
    ok(!config_check(&c, err, sizeof err), "%s cannot be", line);
    ok(strstr(err, remedy) != NULL, "... with a remedy: %s", err);
}

int main(void)
{
    struct machine_config c;
    config_init(&c, ARCH_X86_64);
    ok(config_set(&c, "ram", "1T", err, sizeof err) && c.ram_bytes == (uint64_t)1 << 40,
       "1T");
    ok(config_set(&c, "ram", "0x10000000", err, sizeof err) && c.ram_bytes == 0x10000000,
       "hex");
    ok(config_set(&c, "ram", "64g", err, sizeof err) && c.ram_bytes == (uint64_t)64 << 30,
       "64g");
    ok(config_set(&c, "ram", "160MiB", err, sizeof err) && c.ram_bytes == 160 << 20,
       "160MiB");
    ok(config_check(&c, err, sizeof err), "a usual machine can be");
    accepts("arch", "i386pae");
    accepts("arch", "x86-64");
    accepts("highmem", "auto");
    accepts("highmem", "0");
    accepts("memmap", "0-639K,1M-160M,0xfec00000-0xfec01000:reserved");
    accepts("lowmem_reserve_ratio", "Normal:8");
    accepts("kernel", "none");
    accepts("pcp_cold", "on");
    accepts("pcp", "off");
    refuses("pcp", "some", "true or false");
    accepts("min_free_kbytes", "4096");

    refuses("arch", "arm", "i386");
    refuses("ram", "much", "160M");
    refuses("ram", "10X", "160M");
    refuses("ram", "-1", "160M");
    refuses("ram", "99999999999999999999", "160M");
    refuses("ram", "99999999999T", "160M");
    refuses("ram", "4097", "multiple of 4K");
    refuses("memmap", "1M", "START-END");
    refuses("memmap", "2M-1M", "end");
    refuses("memmap", "1M-2M:acpi", ":reserved");
    refuses("memmap", "1M-2M;3M-4M", "comma");
    refuses("cpus", "0", "1 to 64");
    refuses("cpus", "65", "1 to 64");
    refuses("max_order", "12", "2 to 11");
    refuses("lowmem_reserve_ratio", "Foo:1", "DMA:256");
    refuses("lowmem_reserve_ratio", "DMA:", "DMA:256");
    refuses("seed", "x", "number");
    refuses("colour", "red", "arch, ram");

    round_trip("arch=i386 ram=160M");
    round_trip("arch=i386 ram=160M highmem=80M cpus=2");
    round_trip("arch=i386pae ram=6G initrd=1M nr_cpus=8 seed=7");
    round_trip("arch=x86_64 ram=32M memmap=0-64K,1M-33M,33M-34M:reserved kernel=none "
               "max_order=3");
    round_trip(
        "arch=x86_64 ram=1T kernel=16M-48M min_free_kbytes=1000 pcp=false pcp_cold=true "
        "slab=slub");
    round_trip("arch=i386 ram=1G "
               "lowmem_reserve_ratio=DMA:256,DMA32:256,Normal:8,HighMem:0,Movable:0");

    cannot_be("arch=i386 ram=8G", "i386pae");
    cannot_be("arch=i386pae ram=65G", "x86_64");
    cannot_be("arch=x86_64 ram=16T", "less");
    cannot_be("arch=i386 ram=1M", "ram=32M");
    cannot_be("arch=x86_64 ram=1G highmem=80M", "highmem=auto");
    cannot_be("arch=i386 memmap=1M-20M,10M-30M", "sort");
    cannot_be("arch=i386 memmap=1M-20M:reserved", "1M-160M");
    cannot_be("arch=i386 memmap=1M-4097M", "x86_64");
    cannot_be("arch=i386 ram=64M initrd=40M", "smaller");

    char tiny[8];
    config_init(&c, ARCH_I386);
    int len = config_format(tiny, sizeof tiny, &c);
    ok(len == (int)strlen("arch=i386 ram=160M") && !strcmp(tiny, "arch=i3"),
       "a short buffer is cut, the length is whole");
    return done_testing();
}
