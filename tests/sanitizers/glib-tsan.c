/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

/* Tells the thread sanitizer what GLib's locks, queues, sources and references order. GLib has them in its own code (a
 * GMutex is a futex there), which Debian does not build with the sanitizer: without this every use of a GMutex looks
 * like a race. Preloaded into the tests of a build with b_sanitize=thread; in any other program it does nothing.
 *
 * Each function releases or acquires the object that it is about, and calls the real one. That orders a little more
 * than GLib promises (an unref with every other one), so a race may be missed, but none is invented. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <gst/gst.h>

extern void __tsan_acquire (void *address) __attribute__ ((weak));
extern void __tsan_release (void *address) __attribute__ ((weak));

#define EXPORT __attribute__ ((visibility ("default")))

static inline void
acquire (gconstpointer address)
{
  if (__tsan_acquire)
    __tsan_acquire ((void *)address);
}

static inline void
release (gconstpointer address)
{
  if (__tsan_release)
    __tsan_release ((void *)address);
}

/* The next NAME after this library's, in "real". Looked up again when two threads come at once, which does no harm. */
#define REAL(ret, name, ...) \
  static ret (*real) (__VA_ARGS__); \
  if (G_UNLIKELY (!__atomic_load_n (&real, __ATOMIC_ACQUIRE))) \
    __atomic_store_n (&real, (ret (*) (__VA_ARGS__))dlsym (RTLD_NEXT, #name), __ATOMIC_RELEASE);

/* void NAME (object): what was done before is seen by whoever comes next */
#define BEFORE(name, type) \
  EXPORT void name (type object) \
  { \
    REAL (void, name, type) \
    release (object); \
    real (object); \
  }

/* void NAME (object): sees what others did before */
#define AFTER(name, type) \
  EXPORT void name (type object) \
  { \
    REAL (void, name, type) \
    real (object); \
    acquire (object); \
  }

/* gboolean NAME (object): as AFTER, when it succeeds */
#define TRY(name, type) \
  EXPORT gboolean name (type object) \
  { \
    REAL (gboolean, name, type) \
    gboolean done = real (object); \
    if (done) \
      acquire (object); \
    return done; \
  }

/* void NAME (object): the last one frees, and must see what all others did */
#define UNREF(name, type) \
  EXPORT void name (type object) \
  { \
    REAL (void, name, type) \
    if (object) { \
      release (object); \
      acquire (object); \
    } \
    real (object); \
  }

/* gpointer NAME (queue, ...): what was pushed is seen */
#define POP(name, parameters, arguments, types) \
  EXPORT gpointer name parameters \
  { \
    REAL (gpointer, name, types) \
    gpointer item = real arguments; \
    acquire (queue); \
    return item; \
  }
#define TYPES(...) __VA_ARGS__

/* clang-format off */
AFTER (g_mutex_lock, GMutex *)
TRY (g_mutex_trylock, GMutex *)
BEFORE (g_mutex_unlock, GMutex *)
AFTER (g_rec_mutex_lock, GRecMutex *)
TRY (g_rec_mutex_trylock, GRecMutex *)
BEFORE (g_rec_mutex_unlock, GRecMutex *)
AFTER (g_rw_lock_writer_lock, GRWLock *)
TRY (g_rw_lock_writer_trylock, GRWLock *)
BEFORE (g_rw_lock_writer_unlock, GRWLock *)
AFTER (g_rw_lock_reader_lock, GRWLock *)
TRY (g_rw_lock_reader_trylock, GRWLock *)
BEFORE (g_rw_lock_reader_unlock, GRWLock *)

AFTER (g_async_queue_lock, GAsyncQueue *)
BEFORE (g_async_queue_unlock, GAsyncQueue *)
POP (g_async_queue_pop, (GAsyncQueue *queue), (queue), TYPES (GAsyncQueue *))
POP (g_async_queue_try_pop, (GAsyncQueue *queue), (queue), TYPES (GAsyncQueue *))
POP (g_async_queue_timeout_pop, (GAsyncQueue *queue, guint64 timeout), (queue, timeout), TYPES (GAsyncQueue *, guint64))

UNREF (g_object_unref, gpointer)
UNREF (gst_mini_object_unref, GstMiniObject *)
UNREF (gst_object_unref, gpointer)
UNREF (g_bytes_unref, GBytes *)
UNREF (g_main_context_unref, GMainContext *)
/* clang-format on */

EXPORT void
g_async_queue_push (GAsyncQueue *queue, gpointer item)
{
  REAL (void, g_async_queue_push, GAsyncQueue *, gpointer)
  release (queue);
  real (queue, item);
}

EXPORT void
g_cond_wait (GCond *cond, GMutex *mutex)
{
  REAL (void, g_cond_wait, GCond *, GMutex *)
  release (mutex);
  real (cond, mutex);
  acquire (mutex);
}

EXPORT gboolean
g_cond_wait_until (GCond *cond, GMutex *mutex, gint64 end_time)
{
  REAL (gboolean, g_cond_wait_until, GCond *, GMutex *, gint64)
  gboolean signalled;

  release (mutex);
  signalled = real (cond, mutex, end_time);
  acquire (mutex);
  return signalled;
}

/* The fast path of both is an atomic load in the caller, which the sanitizer sees; the store is in GLib. */
EXPORT
gboolean (g_once_init_enter) (volatile void *location)
{
  REAL (gboolean, g_once_init_enter, volatile void *)
  gboolean first = real (location);

  acquire ((void *)location);
  return first;
}

EXPORT void (g_once_init_leave) (volatile void *location, gsize result)
{
  REAL (void, g_once_init_leave, volatile void *, gsize)
  release ((void *)location);
  real (location, result);
}

typedef struct
{
  GSourceFunc func;
  gpointer data;
  GDestroyNotify notify;
} Callback;

static gboolean
callback_run (gpointer data)
{
  Callback *callback = data;

  acquire (callback);
  return callback->func (callback->data);
}

static void
callback_free (gpointer data)
{
  Callback *callback = data;

  acquire (callback);
  if (callback->notify)
    callback->notify (callback->data);
  g_free (callback);
}

/* A source is run by another thread than made it. Only idle sources and timeouts: of the others nobody knows what
 * arguments their functions take. */
EXPORT void
g_source_set_callback (GSource *source, GSourceFunc func, gpointer data, GDestroyNotify notify)
{
  REAL (void, g_source_set_callback, GSource *, GSourceFunc, gpointer, GDestroyNotify)
  Callback *callback;

  if (!func || (source->source_funcs != &g_idle_funcs && source->source_funcs != &g_timeout_funcs)) {
    real (source, func, data, notify);
    return;
  }
  callback = g_new (Callback, 1);
  *callback = (Callback){func, data, notify};
  release (callback);
  real (source, callback_run, callback, callback_free);
}

typedef struct
{
  GFunc func;
  gpointer user_data;
} Work;

static void
work_run (gpointer data, gpointer user_data)
{
  Work *work = user_data;

  acquire (data);
  work->func (data, work->user_data);
}

/* The pool does not tell when its last thread is done with the wrapper: it stays. */
EXPORT GThreadPool *
g_thread_pool_new (GFunc func, gpointer user_data, gint max_threads, gboolean exclusive, GError **error)
{
  REAL (GThreadPool *, g_thread_pool_new, GFunc, gpointer, gint, gboolean, GError **)
  Work *work = g_new (Work, 1);

  *work = (Work){func, user_data};
  return real (work_run, work, max_threads, exclusive, error);
}

EXPORT gboolean
g_thread_pool_push (GThreadPool *pool, gpointer data, GError **error)
{
  REAL (gboolean, g_thread_pool_push, GThreadPool *, gpointer, GError **)
  release (data);
  return real (pool, data, error);
}

EXPORT gboolean
gst_element_post_message (GstElement *element, GstMessage *message)
{
  REAL (gboolean, gst_element_post_message, GstElement *, GstMessage *)
  release (message);
  return real (element, message);
}

EXPORT GstMessage *
gst_bus_timed_pop_filtered (GstBus *bus, GstClockTime timeout, GstMessageType types)
{
  REAL (GstMessage *, gst_bus_timed_pop_filtered, GstBus *, GstClockTime, GstMessageType)
  GstMessage *message = real (bus, timeout, types);

  if (message)
    acquire (message);
  return message;
}
