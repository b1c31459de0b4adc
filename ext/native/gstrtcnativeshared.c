/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstrtcnativechannel.h"
#include "core/rtcmessage.h"
#include "core/rtcdeadline.h"
#include "core/rtcprefetch.h"

#include <gst/rtp/gstrtpbuffer.h>
#include <string.h>

/* A viewer asks again within a round trip or two. */
#define KEEP (2 * G_USEC_PER_SEC)
#define KEEP_PACKETS 4096
#define KEEP_BYTES (16 * 1024 * 1024)

#define MAX_PACKET 2048
#define BATCH_BYTES 65536
#define BATCH_PACKETS 64
/* What the process had no time for so long is not sent any more, nor what comes behind it, until the loop is up to
 * date: else it would be late for ever, and newcomers would wait behind it. */
#define TOO_LATE 300000
#define UP_TO_DATE 50000
/* Sockets have their turn between two lists, too: of TURN when there are many, and of LATE_TURN when lists are left
 * out, so that newcomers get through their handshakes however little time there is. Microseconds. */
#define SERVE_INTERVAL 5000
#define TURN 1000
#define LATE_TURN 100000
/* Deadlines that are near each other are served together. */
#define TIMER_GRAIN 5000
/* Relays that are given back at the end take half a second when they do not answer. */
#define PATIENCE_MS 2000
#define NTP_EPOCH G_GUINT64_CONSTANT (2208988800)
/* Running time went on or stood still for longer than any encoder takes. */
#define MAX_SHIFT (2 * G_USEC_PER_SEC)

/* Time. */

static guint64
to_ntp (gint64 real)
{
  guint64 seconds = real / G_USEC_PER_SEC, rest = real % G_USEC_PER_SEC;

  return ((seconds + NTP_EPOCH) << 32) | ((rest << 32) / G_USEC_PER_SEC);
}

guint64
gst_rtc_native_shared_ntp (GstRtcNativeShared *self, gint64 now)
{
  return to_ntp (self->real_offset + now);
}

static void
note_zero (GstRtcNativeShared *self, gint64 pts, gint64 now)
{
  gint64 zero = self->real_offset + now - pts;

  if (pts >= 0 && (self->zero == G_MININT64 || ABS (zero - self->zero) > MAX_SHIFT))
    self->zero = zero;
}

static void
arm_timer (GstRtcNativeShared *self, gint64 at)
{
  self->timer_at = at;
  g_source_set_ready_time (self->timer, at);
}

void
gst_rtc_native_shared_enter (GstRtcNativeShared *self, GstRtcNative *t)
{
  const gint64 never = -1;

  t->place = self->transports->len;
  g_ptr_array_add (self->transports, t);
  g_array_append_val (self->deadlines, never);
}

void
gst_rtc_native_shared_leave (GstRtcNativeShared *self, GstRtcNative *t)
{
  g_ptr_array_remove_index_fast (self->transports, t->place);
  g_array_remove_index_fast (self->deadlines, t->place);
  if (t->place < self->transports->len)
    ((GstRtcNative *)g_ptr_array_index (self->transports, t->place))->place = t->place;
  t->place = G_MAXUINT;
}

void
gst_rtc_native_shared_schedule (GstRtcNativeShared *self, GstRtcNative *t)
{
  gint64 deadline;

  if (t->place == G_MAXUINT)
    return;
  deadline = gst_rtc_native_get_deadline (t);
  g_array_index (self->deadlines, gint64, t->place) = deadline;
  if (deadline >= 0 && (self->timer_at < 0 || deadline < self->timer_at))
    arm_timer (self, deadline);
}

static gboolean
on_timer (gpointer user_data)
{
  GstRtcNativeShared *self = user_data;
  gint64 now = g_get_monotonic_time (), next = -1;
  guint64 ntp = gst_rtc_native_shared_ntp (self, now), zero = self->zero == G_MININT64 ? ntp : to_ntp (self->zero);

  arm_timer (self, -1);
  for (guint i = 0; i < self->transports->len; i++) {
    gint64 deadline = g_array_index (self->deadlines, gint64, i);

    if (deadline >= 0 && deadline <= now) {
      GstRtcNative *t = g_ptr_array_index (self->transports, i);

      rtc_endpoint_tick (t->endpoint, now, ntp, zero);
      gst_rtc_native_path_tick (t, now);
      gst_rtc_native_data_tick (t);
      deadline = gst_rtc_native_get_deadline (t);
      g_array_index (self->deadlines, gint64, i) = deadline;
    }
    next = rtc_earlier (next, deadline);
  }
  if (next >= 0)
    arm_timer (self, MAX (next, now + TIMER_GRAIN));
  return G_SOURCE_CONTINUE;
}

static gboolean
timer_dispatch (GSource *source, GSourceFunc func, gpointer user_data)
{
  return func (user_data);
}

static GSourceFuncs timer_funcs = {.dispatch = timer_dispatch};

/* Sending. */

typedef struct
{
  GstRtcNativeShared *shared;
  gconstpointer track;
  GstBufferList *list;
  gint64 posted; /* microseconds, monotonic */
  guint n_outputs;
  GstRtcTransportOutput outputs[];
} Job;

static void
job_free (gpointer data)
{
  Job *job = data;

  gst_buffer_list_unref (job->list);
  g_free (job);
}

static RtcHistory *
get_history (GstRtcNativeShared *self, gconstpointer track)
{
  RtcHistory *history = g_hash_table_lookup (self->histories, track);

  if (!history) {
    history = rtc_history_new (KEEP, KEEP_PACKETS, KEEP_BYTES);
    g_hash_table_insert (self->histories, (gpointer)track, history);
  }
  return history;
}

typedef struct
{
  GstRtcNativeShared *shared;
  RtcHistory *history;
  gint64 now;
} Keeping;

static gboolean
keep_packet (GstBuffer **buffer, guint index, gpointer user_data)
{
  Keeping *keeping = user_data;
  GstRTPBuffer rtp = GST_RTP_BUFFER_INIT;
  RtcPacket packet = {.added = keeping->now, .audio_level = -1, .pts = -1};
  gpointer level;
  guint size;

  if (!gst_rtp_buffer_map (*buffer, GST_MAP_READ, &rtp))
    return TRUE;
  if (GST_BUFFER_PTS_IS_VALID (*buffer))
    packet.pts = GST_BUFFER_PTS (*buffer) / GST_USECOND;
  packet.timestamp = gst_rtp_buffer_get_timestamp (&rtp);
  packet.marker = gst_rtp_buffer_get_marker (&rtp);
  packet.payload = gst_rtp_buffer_get_payload (&rtp);
  packet.size = gst_rtp_buffer_get_payload_len (&rtp);
  if (gst_rtp_buffer_get_extension_onebyte_header (&rtp, GST_RTC_PLAIN_EXT_AUDIO_LEVEL, 0, &level, &size) && size == 1)
    packet.audio_level = *(guint8 *)level;
  if (packet.size <= MAX_PACKET - RTC_SENDER_OVERHEAD)
    rtc_history_add (keeping->history, &packet);
  note_zero (keeping->shared, packet.pts, keeping->now);
  gst_rtp_buffer_unmap (&rtp);
  return TRUE;
}

static void
flush (GstRtcNative *t, GstRtcIceBatch *batch, gsize *used)
{
  if (batch->n && t->ice)
    t->ice->klass->send (t->ice, batch);
  batch->n = 0;
  *used = 0;
}

void
gst_rtc_native_shared_gather (GstRtcNative *t)
{
  GstRtcNativeShared *self = t->shared;

  self->gathering = t;
  self->gathered = (GstRtcIceBatch){self->space, self->sizes, 0};
  self->gathered_bytes = 0;
}

gboolean
gst_rtc_native_shared_add (GstRtcNative *t, const guint8 *data, gsize size)
{
  GstRtcNativeShared *self = t->shared;
  GstRtcIceBatch *batch = &self->gathered;

  if (self->gathering != t || size > MAX_PACKET)
    return FALSE;
  memcpy (batch->data + self->gathered_bytes, data, size);
  self->gathered_bytes += size;
  batch->sizes[batch->n++] = size;
  if (batch->n == BATCH_PACKETS || self->gathered_bytes + MAX_PACKET > BATCH_BYTES)
    flush (t, batch, &self->gathered_bytes);
  return TRUE;
}

void
gst_rtc_native_shared_release (GstRtcNative *t)
{
  GstRtcNativeShared *self = t->shared;

  self->gathering = NULL;
  flush (t, &self->gathered, &self->gathered_bytes);
}

static gboolean
may_send (const GstRtcNative *t)
{
  return !t->closed && t->state >= GST_RTC_TRANSPORT_CONNECTED && !t->hung_up && !t->lapsed;
}

static void
send_to (GstRtcNativeShared *self, GstRtcNative *t, guint mline, RtcHistory *history, guint64 first)
{
  guint64 end = rtc_history_get_next (history);
  GstRtcIceBatch batch = {self->space, self->sizes, 0};
  gsize used = 0;
  gboolean any = FALSE;

  for (guint64 i = first; i < end; i++) {
    const RtcPacket *packet = rtc_history_get (history, i);
    gsize size = packet ? rtc_endpoint_write (t->endpoint, mline, packet, self->space + used) : 0;

    if (!size)
      continue;
    self->sizes[batch.n++] = size;
    used += size;
    any = TRUE;
    if (batch.n == BATCH_PACKETS || used + MAX_PACKET > BATCH_BYTES)
      flush (t, &batch, &used);
  }
  flush (t, &batch, &used);
  /* The first packets of a track: they can be asked for again now, and its reports are due. Looking at the deadlines
   * with each frame would fetch much memory that is in no cache. */
  if (any && rtc_endpoint_get_history (t->endpoint, mline) != history) {
    rtc_endpoint_set_history (t->endpoint, mline, history);
    gst_rtc_native_shared_schedule (self, t);
  }
}

/* Viewers see a gap in the numbers, and may ask for what is in it. A key frame is asked for in their name. */
static void
leave_out (const Job *job, guint64 n_packets)
{
  gboolean asked = FALSE;

  for (guint i = 0; i < job->n_outputs; i++) {
    GstRtcNative *t = (GstRtcNative *)job->outputs[i].transport;

    if (!may_send (t))
      continue;
    t->late_packets += n_packets;
    if (!asked)
      t->base.events->key_frame_wanted (&t->base, job->outputs[i].mline, t->base.user_data);
    asked = TRUE;
  }
}

/* While a viewer is served, what belongs to those behind him is fetched: of the next one the last pointers, of the one
 * furthest away the first. */
static void
prefetch (const Job *job, guint i)
{
  const GstRtcTransportOutput *behind = job->outputs + i;
  guint n = job->n_outputs - i;

  if (n > RTC_ENDPOINT_PREFETCH_STEPS + 1) {
    const GstRtcNative *t = (GstRtcNative *)behind[RTC_ENDPOINT_PREFETCH_STEPS + 1].transport;

    rtc_prefetch (&t->closed);
    rtc_prefetch (&t->state);
  }
  for (guint step = 0; step < RTC_ENDPOINT_PREFETCH_STEPS; step++) {
    guint at = RTC_ENDPOINT_PREFETCH_STEPS - step;

    if (at < n)
      rtc_endpoint_prefetch (((GstRtcNative *)behind[at].transport)->endpoint, step);
  }
  if (n > 2)
    rtc_prefetch (((GstRtcNative *)behind[2].transport)->ice);
}

static void
run_job (gpointer data)
{
  Job *job = data;
  GstRtcNativeShared *self = job->shared;
  RtcHistory *history = get_history (self, job->track);
  guint64 first = rtc_history_get_next (history);
  gint64 now = g_get_monotonic_time ();
  gboolean was_late = self->late;
  Keeping keeping = {self, history};

  self->late = now - job->posted > (was_late ? UP_TO_DATE : TOO_LATE);
  if (now - self->served > SERVE_INTERVAL) {
    self->served = now;
    gst_rtc_poll_serve (self->poll, self->late && !was_late ? LATE_TURN : TURN);
  }
  keeping.now = g_get_monotonic_time ();
  gst_buffer_list_foreach (job->list, keep_packet, &keeping);
  if (self->late) {
    leave_out (job, rtc_history_get_next (history) - first);
    return;
  }
  for (guint i = 0; i < job->n_outputs; i++) {
    GstRtcNative *t = (GstRtcNative *)job->outputs[i].transport;

    prefetch (job, i);
    if (may_send (t))
      send_to (self, t, job->outputs[i].mline, history, first);
  }
}

void
gst_rtc_native_shared_send (
    gpointer shared, gconstpointer track, const GstRtcTransportOutput *outputs, guint n_outputs, GstBufferList *list)
{
  GstRtcNativeShared *self = shared;
  Job *job = g_malloc (sizeof (Job) + n_outputs * sizeof (GstRtcTransportOutput));

  *job = (Job){self, track, gst_buffer_list_ref (list), g_get_monotonic_time (), n_outputs};
  memcpy (job->outputs, outputs, n_outputs * sizeof (GstRtcTransportOutput));
  /* In the order of the posts: a transport that is closed later is still there when this runs. */
  gst_rtc_loop_post (self->loop, run_job, job, job_free);
}

typedef struct
{
  GstRtcNativeShared *shared;
  gconstpointer track;
} Forget;

static void
forget_track (gpointer data)
{
  Forget *forget = data;
  GstRtcNativeShared *self = forget->shared;
  RtcHistory *history = g_hash_table_lookup (self->histories, forget->track);

  for (guint i = 0; history && i < self->transports->len; i++) {
    GstRtcNative *t = g_ptr_array_index (self->transports, i);

    for (guint mline = 0; t->lines && mline < t->lines->len; mline++) {
      if (rtc_endpoint_get_history (t->endpoint, mline) == history)
        rtc_endpoint_set_history (t->endpoint, mline, NULL);
    }
  }
  g_hash_table_remove (self->histories, forget->track);
}

void
gst_rtc_native_shared_forget_track (gpointer shared, gconstpointer track)
{
  Forget *forget = g_new (Forget, 1);

  *forget = (Forget){shared, track};
  gst_rtc_loop_post (((GstRtcNativeShared *)shared)->loop, forget_track, forget, g_free);
}

/* Beginning and end. */

typedef struct
{
  GstRtcNativeShared *shared;
  const GstRtcTransportSetup *setup;
  GError *error;
} Start;

static void
interfaces_changed (gpointer user_data)
{
  GstRtcNativeShared *self = user_data;

  for (guint i = 0; i < self->transports->len; i++)
    gst_rtc_native_path_interfaces_changed (g_ptr_array_index (self->transports, i));
}

static void
start_on_loop (gpointer data)
{
  Start *start = data;
  GstRtcNativeShared *self = start->shared;

  self->timer = g_source_new (&timer_funcs, sizeof (GSource));
  g_source_set_callback (self->timer, on_timer, self, NULL);
  g_source_set_static_name (self->timer, "rtclink-native-timer");
  g_source_attach (self->timer, gst_rtc_loop_get_context (self->loop));
  self->poll = gst_rtc_poll_new (self->loop, &start->error);
  if (self->poll && start->setup->udp_port)
    self->lite =
        gst_rtc_lite_new (self->loop, self->poll, start->setup->udp_port, &start->setup->addresses, &start->error);
  if (self->poll)
    self->netlink = gst_rtc_netlink_new (self->poll, interfaces_changed, self);
  if (self->poll && !start->error)
    self->pacer = gst_rtc_native_pacer_new (self->poll, &start->error);
  if (self->poll)
    gst_rtc_poll_set_after (self->poll, gst_rtc_native_data_end_all, self);
}

static void
stop_on_loop (gpointer data)
{
  GstRtcNativeShared *self = data;

  g_clear_pointer (&self->netlink, gst_rtc_netlink_free);
  g_clear_pointer (&self->lite, gst_rtc_lite_free);
  g_clear_pointer (&self->pacer, gst_rtc_native_pacer_free);
  if (self->poll)
    gst_rtc_poll_wait (self->poll, PATIENCE_MS);
  g_clear_pointer (&self->poll, gst_rtc_poll_free);
  g_source_destroy (self->timer);
  g_clear_pointer (&self->timer, g_source_unref);
}

gpointer
gst_rtc_native_shared_start (const GstRtcTransportSetup *setup, GError **error)
{
  RtcDtlsIdentity *identity = setup->certificate
      ? rtc_dtls_identity_new_from_pem (setup->certificate, setup->private_key, error)
      : rtc_dtls_identity_new (error);
  GstRtcNativeShared *self;
  Start start;

  if (!identity)
    return NULL;
  self = g_new0 (GstRtcNativeShared, 1);
  self->identity = identity;
  self->real_offset = g_get_real_time () - g_get_monotonic_time ();
  self->transports = g_ptr_array_new ();
  self->deadlines = g_array_new (FALSE, FALSE, sizeof (gint64));
  self->begun = g_ptr_array_new ();
  self->histories = g_hash_table_new_full (NULL, NULL, NULL, (GDestroyNotify)rtc_history_free);
  self->cname = rtc_id_new ("");
  self->timer_at = -1;
  self->zero = G_MININT64;
  self->space = g_malloc (BATCH_BYTES);
  self->sizes = g_new (gsize, BATCH_PACKETS);
  self->loop = gst_rtc_loop_new ("rtcbin-native");
  start = (Start){self, setup};
  gst_rtc_loop_call (self->loop, start_on_loop, &start);
  if (start.error) {
    g_propagate_error (error, start.error);
    gst_rtc_native_shared_stop (self);
    return NULL;
  }
  return self;
}

void
gst_rtc_native_shared_stop (gpointer shared)
{
  GstRtcNativeShared *self = shared;

  gst_rtc_loop_call (self->loop, stop_on_loop, self);
  gst_rtc_loop_free (self->loop);
  rtc_dtls_identity_unref (self->identity);
  g_ptr_array_unref (self->transports);
  g_array_unref (self->deadlines);
  g_ptr_array_unref (self->begun);
  g_hash_table_unref (self->histories);
  g_free (self->cname);
  g_free (self->space);
  g_free (self->sizes);
  g_free (self);
}
