/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* Gives every file of a folder to a fuzz target: the main() of the targets when there is no libFuzzer. */

#include <glib.h>

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GDir) dir = NULL;
  const gchar *name;
  guint n = 0;

  if (argc != 2) {
    g_printerr ("usage: %s FOLDER\n", argv[0]);
    return 2;
  }
  dir = g_dir_open (argv[1], 0, &error);
  while (dir && (name = g_dir_read_name (dir))) {
    g_autofree gchar *path = g_build_filename (argv[1], name, NULL);
    g_autofree gchar *contents = NULL;
    g_autofree guint8 *exact = NULL;
    gsize length;

    if (!g_file_get_contents (path, &contents, &length, &error))
      break;
    /* Without the NUL that GLib adds, so that a read beyond the end is one. */
    exact = g_memdup2 (contents, length);
    LLVMFuzzerTestOneInput (exact, length);
    n++;
  }
  if (error) {
    g_printerr ("%s\n", error->message);
    return 2;
  }
  g_print ("%u files\n", n);
  return n > 0 ? 0 : 2;
}
