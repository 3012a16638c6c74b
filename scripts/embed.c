/* Built for the machine that builds: makes a C array of a text file.
 *   embed FILE NAME > FILE.h
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>

int main(int argc, char **argv)
{
    FILE *in = argc == 3 ? fopen(argv[1], "rb") : NULL;
    if (!in) {
        fprintf(stderr, "usage: embed FILE NAME\n");
        return 2;
    }
    printf("static const char %s[] = {", argv[2]);
    unsigned long size = 0;
    for (int c; (c = getc(in)) != EOF; size++) {
        printf("%s%d,", size % 20 ? "" : "\n", c);
    }
    printf("\n0};\nenum { %s_size = %lu };\n", argv[2], size);
    fclose(in);
    return 0;
}
