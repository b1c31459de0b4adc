/* SPDX-License-Identifier: LGPL-2.1-or-later */
static int bad(int a) {
    return a;
}
