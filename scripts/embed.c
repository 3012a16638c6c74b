/* Built for the machine that builds: makes a C array of text files, one behind the other.
 *   embed NAME FILE... > FILE.h
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: embed NAME FILE...\n");
        return 2;
    }
    printf("static const char %s[] = {", argv[1]);
    unsigned long size = 0;
    for (int i = 2; i < argc; i++) {
        FILE *in = fopen(argv[i], "rb");
        if (!in) {
            perror(argv[i]);
            return 2;
        }
        for (int c; (c = getc(in)) != EOF; size++) {
            printf("%s%d,", size % 20 ? "" : "\n", c);
        }
        fclose(in);
    }
    printf("\n0};\nenum { %s_size = %lu };\n", argv[1], size);
    return 0;
}
