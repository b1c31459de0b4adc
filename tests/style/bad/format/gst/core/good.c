/* SPDX-License-Identifier: LGPL-2.1-or-later */
static int
good (int a)
{
  return a;
}
