/* rtclink: WebRTC as parts of a GStreamer pipeline
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */

#include "rtcstun.h"

#include <openssl/crypto.h>
#include <string.h>

#include "rtcbytes.h"

#define COOKIE 0x2112a442u
#define FINGERPRINT_XOR 0x5354554eu
#define SHA1_SIZE 20
#define INTEGRITY_SIZE (4 + SHA1_SIZE)
#define FINGERPRINT_SIZE 8
#define PADDED(size) (((size) + 3) & ~(gsize)3)

/* RFC 8489, section 18.3; RFC 8445, section 16.1 */
enum
{
  MAPPED_ADDRESS = 0x0001,
  USERNAME = 0x0006,
  MESSAGE_INTEGRITY = 0x0008,
  ERROR_CODE = 0x0009,
  UNKNOWN_ATTRIBUTES = 0x000a,
  REALM = 0x0014,
  NONCE = 0x0015,
  XOR_MAPPED_ADDRESS = 0x0020,
  PRIORITY = 0x0024,
  USE_CANDIDATE = 0x0025,
  OPTIONAL = 0x8000, /* from here on they may be ignored */
  FINGERPRINT = 0x8028,
  ICE_CONTROLLED = 0x8029,
  ICE_CONTROLLING = 0x802a,
};

/* The CRC-32 of ITU V.42, bytes from the low end: polynomial 0xedb88320. */
static const guint32 crc_table[256] = {0x00000000, 0x77073096, 0xee0e612c, 0x990951ba, 0x076dc419, 0x706af48f,
    0xe963a535, 0x9e6495a3, 0x0edb8832, 0x79dcb8a4, 0xe0d5e91e, 0x97d2d988, 0x09b64c2b, 0x7eb17cbd, 0xe7b82d07,
    0x90bf1d91, 0x1db71064, 0x6ab020f2, 0xf3b97148, 0x84be41de, 0x1adad47d, 0x6ddde4eb, 0xf4d4b551, 0x83d385c7,
    0x136c9856, 0x646ba8c0, 0xfd62f97a, 0x8a65c9ec, 0x14015c4f, 0x63066cd9, 0xfa0f3d63, 0x8d080df5, 0x3b6e20c8,
    0x4c69105e, 0xd56041e4, 0xa2677172, 0x3c03e4d1, 0x4b04d447, 0xd20d85fd, 0xa50ab56b, 0x35b5a8fa, 0x42b2986c,
    0xdbbbc9d6, 0xacbcf940, 0x32d86ce3, 0x45df5c75, 0xdcd60dcf, 0xabd13d59, 0x26d930ac, 0x51de003a, 0xc8d75180,
    0xbfd06116, 0x21b4f4b5, 0x56b3c423, 0xcfba9599, 0xb8bda50f, 0x2802b89e, 0x5f058808, 0xc60cd9b2, 0xb10be924,
    0x2f6f7c87, 0x58684c11, 0xc1611dab, 0xb6662d3d, 0x76dc4190, 0x01db7106, 0x98d220bc, 0xefd5102a, 0x71b18589,
    0x06b6b51f, 0x9fbfe4a5, 0xe8b8d433, 0x7807c9a2, 0x0f00f934, 0x9609a88e, 0xe10e9818, 0x7f6a0dbb, 0x086d3d2d,
    0x91646c97, 0xe6635c01, 0x6b6b51f4, 0x1c6c6162, 0x856530d8, 0xf262004e, 0x6c0695ed, 0x1b01a57b, 0x8208f4c1,
    0xf50fc457, 0x65b0d9c6, 0x12b7e950, 0x8bbeb8ea, 0xfcb9887c, 0x62dd1ddf, 0x15da2d49, 0x8cd37cf3, 0xfbd44c65,
    0x4db26158, 0x3ab551ce, 0xa3bc0074, 0xd4bb30e2, 0x4adfa541, 0x3dd895d7, 0xa4d1c46d, 0xd3d6f4fb, 0x4369e96a,
    0x346ed9fc, 0xad678846, 0xda60b8d0, 0x44042d73, 0x33031de5, 0xaa0a4c5f, 0xdd0d7cc9, 0x5005713c, 0x270241aa,
    0xbe0b1010, 0xc90c2086, 0x5768b525, 0x206f85b3, 0xb966d409, 0xce61e49f, 0x5edef90e, 0x29d9c998, 0xb0d09822,
    0xc7d7a8b4, 0x59b33d17, 0x2eb40d81, 0xb7bd5c3b, 0xc0ba6cad, 0xedb88320, 0x9abfb3b6, 0x03b6e20c, 0x74b1d29a,
    0xead54739, 0x9dd277af, 0x04db2615, 0x73dc1683, 0xe3630b12, 0x94643b84, 0x0d6d6a3e, 0x7a6a5aa8, 0xe40ecf0b,
    0x9309ff9d, 0x0a00ae27, 0x7d079eb1, 0xf00f9344, 0x8708a3d2, 0x1e01f268, 0x6906c2fe, 0xf762575d, 0x806567cb,
    0x196c3671, 0x6e6b06e7, 0xfed41b76, 0x89d32be0, 0x10da7a5a, 0x67dd4acc, 0xf9b9df6f, 0x8ebeeff9, 0x17b7be43,
    0x60b08ed5, 0xd6d6a3e8, 0xa1d1937e, 0x38d8c2c4, 0x4fdff252, 0xd1bb67f1, 0xa6bc5767, 0x3fb506dd, 0x48b2364b,
    0xd80d2bda, 0xaf0a1b4c, 0x36034af6, 0x41047a60, 0xdf60efc3, 0xa867df55, 0x316e8eef, 0x4669be79, 0xcb61b38c,
    0xbc66831a, 0x256fd2a0, 0x5268e236, 0xcc0c7795, 0xbb0b4703, 0x220216b9, 0x5505262f, 0xc5ba3bbe, 0xb2bd0b28,
    0x2bb45a92, 0x5cb36a04, 0xc2d7ffa7, 0xb5d0cf31, 0x2cd99e8b, 0x5bdeae1d, 0x9b64c2b0, 0xec63f226, 0x756aa39c,
    0x026d930a, 0x9c0906a9, 0xeb0e363f, 0x72076785, 0x05005713, 0x95bf4a82, 0xe2b87a14, 0x7bb12bae, 0x0cb61b38,
    0x92d28e9b, 0xe5d5be0d, 0x7cdcefb7, 0x0bdbdf21, 0x86d3d2d4, 0xf1d4e242, 0x68ddb3f8, 0x1fda836e, 0x81be16cd,
    0xf6b9265b, 0x6fb077e1, 0x18b74777, 0x88085ae6, 0xff0f6a70, 0x66063bca, 0x11010b5c, 0x8f659eff, 0xf862ae69,
    0x616bffd3, 0x166ccf45, 0xa00ae278, 0xd70dd2ee, 0x4e048354, 0x3903b3c2, 0xa7672661, 0xd06016f7, 0x4969474d,
    0x3e6e77db, 0xaed16a4a, 0xd9d65adc, 0x40df0b66, 0x37d83bf0, 0xa9bcae53, 0xdebb9ec5, 0x47b2cf7f, 0x30b5ffe9,
    0xbdbdf21c, 0xcabac28a, 0x53b39330, 0x24b4a3a6, 0xbad03605, 0xcdd70693, 0x54de5729, 0x23d967bf, 0xb3667a2e,
    0xc4614ab8, 0x5d681b02, 0x2a6f2b94, 0xb40bbe37, 0xc30c8ea1, 0x5a05df1b, 0x2d02ef8d};

static guint32
crc32 (const guint8 *data, gsize size)
{
  guint32 crc = G_MAXUINT32;

  for (gsize i = 0; i < size; i++)
    crc = (crc >> 8) ^ crc_table[(crc ^ data[i]) & 0xff];
  return ~crc;
}

GHmac *
rtc_stun_key_new (const gchar *password)
{
  return g_hmac_new (G_CHECKSUM_SHA1, (const guchar *)password, strlen (password));
}

/* What MESSAGE-INTEGRITY is for the SIZE bytes before it: the length in the header counts up to its end. */
static void
compute_integrity (const guint8 *data, gsize size, GHmac *key, guint8 *digest)
{
  GHmac *hmac = g_hmac_copy (key);
  gsize digest_size = SHA1_SIZE;
  guint8 start[4];

  memcpy (start, data, 2);
  rtc_put_u16 (start + 2, size + INTEGRITY_SIZE - RTC_STUN_MIN_SIZE);
  g_hmac_update (hmac, start, sizeof (start));
  g_hmac_update (hmac, data + sizeof (start), size - sizeof (start));
  g_hmac_get_digest (hmac, digest, &digest_size);
  g_hmac_unref (hmac);
}

/* Reading. */

static gboolean
read_mapped (RtcStunMessage *message, const guint8 *value, gsize size)
{
  RtcAddress *address = &message->mapped;

  if (address->family)
    return TRUE;
  if (!(size == 8 && value[1] == 1) && !(size == 20 && value[1] == 2))
    return FALSE;
  address->family = value[1] == 1 ? 4 : 6;
  address->port = rtc_get_u16 (value + 2) ^ (COOKIE >> 16);
  /* The cookie and the id stand together in the header as they do in the mask. */
  for (guint i = 0; i < size - 4; i++)
    address->ip[i] = value[4 + i] ^ message->data[4 + i];
  return TRUE;
}

static gboolean
read_role (RtcStunMessage *message, gboolean *role, const guint8 *value, gsize size)
{
  if (size != 8)
    return FALSE;
  if (!message->controlling && !message->controlled)
    message->tie_breaker = rtc_get_u64 (value);
  *role = TRUE;
  return TRUE;
}

/* One that stands before MESSAGE-INTEGRITY. FALSE: not as it has to be. */
static gboolean
read_attribute (RtcStunMessage *message, guint type, const guint8 *value, gsize size)
{
  switch (type) {
    case USERNAME:
      if (!message->username) {
        message->username = value;
        message->username_size = size;
      }
      return size <= RTC_STUN_MAX_USERNAME;
    case MESSAGE_INTEGRITY:
      message->integrity = value - 4 - message->data;
      return size == SHA1_SIZE;
    case ERROR_CODE:
      if (size < 4 || (value[2] & 7) < 3 || (value[2] & 7) > 6 || value[3] > 99)
        return FALSE;
      if (!message->error)
        message->error = (value[2] & 7) * 100 + value[3];
      return TRUE;
    case XOR_MAPPED_ADDRESS:
      return read_mapped (message, value, size);
    case PRIORITY:
      if (size != 4)
        return FALSE;
      if (!message->has_priority)
        message->priority = rtc_get_u32 (value);
      message->has_priority = TRUE;
      return TRUE;
    case USE_CANDIDATE:
      message->use_candidate = TRUE;
      return size == 0;
    case ICE_CONTROLLING:
      return read_role (message, &message->controlling, value, size);
    case ICE_CONTROLLED:
      return read_role (message, &message->controlled, value, size);
    case MAPPED_ADDRESS:
    case UNKNOWN_ATTRIBUTES:
    case REALM:
    case NONCE:
      return TRUE;
    default:
      if (type < OPTIONAL) {
        if (message->n_unknown < RTC_STUN_MAX_UNKNOWN)
          message->unknown[message->n_unknown] = type;
        message->n_unknown++;
      }
      return TRUE;
  }
}

gboolean
rtc_stun_parse (RtcStunMessage *message, const guint8 *data, gsize size)
{
  guint type;
  gsize at;

  if (size < RTC_STUN_MIN_SIZE || size % 4 != 0 || data[0] & 0xc0 || rtc_get_u16 (data + 2) != size - RTC_STUN_MIN_SIZE
      || rtc_get_u32 (data + 4) != COOKIE)
    return FALSE;

  type = rtc_get_u16 (data);
  memset (message, 0, sizeof (*message));
  message->data = data;
  message->size = size;
  /* RFC 8489, section 5: the two bits of the class are among those of the method. */
  message->klass = ((type >> 7) & 2) | ((type >> 4) & 1);
  message->method = ((type >> 2) & 0xf80) | ((type >> 1) & 0x070) | (type & 0x00f);
  message->id = data + 8;

  for (at = RTC_STUN_MIN_SIZE; at < size;) {
    /* There are 4 bytes at least, since the size and every step are multiples of 4. */
    const guint8 *value = data + at + 4;
    gsize length = rtc_get_u16 (data + at + 2);

    type = rtc_get_u16 (data + at);
    if (length > size - at - 4)
      return FALSE;
    if (type == FINGERPRINT) {
      message->fingerprint = at;
      return length == FINGERPRINT_SIZE - 4 && at + FINGERPRINT_SIZE == size;
    }
    if (!message->integrity && !read_attribute (message, type, value, length))
      return FALSE;
    at += 4 + PADDED (length);
  }
  return TRUE;
}

gboolean
rtc_stun_check_fingerprint (const RtcStunMessage *message)
{
  if (!message->fingerprint)
    return FALSE;
  return rtc_get_u32 (message->data + message->fingerprint + 4)
      == (crc32 (message->data, message->fingerprint) ^ FINGERPRINT_XOR);
}

gboolean
rtc_stun_check_integrity (const RtcStunMessage *message, GHmac *key)
{
  guint8 digest[SHA1_SIZE];

  if (!message->integrity)
    return FALSE;
  compute_integrity (message->data, message->integrity, key, digest);
  return CRYPTO_memcmp (digest, message->data + message->integrity + 4, SHA1_SIZE) == 0;
}

/* Writing. */

static gsize
write_header (guint8 *out, RtcStunClass klass, const guint8 *id)
{
  rtc_put_u16 (out, ((klass & 2) << 7) | ((klass & 1) << 4) | RTC_STUN_BINDING);
  rtc_put_u16 (out + 2, 0);
  rtc_put_u32 (out + 4, COOKIE);
  memcpy (out + 8, id, RTC_STUN_ID_SIZE);
  return RTC_STUN_MIN_SIZE;
}

/* Returns where the value goes, which has zeros behind it up to a multiple of 4; AT becomes the next attribute's. */
static guint8 *
add_attribute (guint8 *out, gsize *at, guint type, gsize size)
{
  guint8 *value = out + *at + 4;

  rtc_put_u16 (out + *at, type);
  rtc_put_u16 (out + *at + 2, size);
  memset (value + size, 0, PADDED (size) - size);
  *at += 4 + PADDED (size);
  return value;
}

gsize
rtc_stun_seal (guint8 *message, gsize size, GHmac *key)
{
  gsize integrity = size, fingerprint = size + INTEGRITY_SIZE;
  guint8 *value;

  g_return_val_if_fail (size >= RTC_STUN_MIN_SIZE && size % 4 == 0, 0);

  value = add_attribute (message, &size, MESSAGE_INTEGRITY, SHA1_SIZE);
  compute_integrity (message, integrity, key, value);
  value = add_attribute (message, &size, FINGERPRINT, FINGERPRINT_SIZE - 4);
  rtc_put_u16 (message + 2, size - RTC_STUN_MIN_SIZE);
  rtc_put_u32 (value, crc32 (message, fingerprint) ^ FINGERPRINT_XOR);
  return size;
}

gsize
rtc_stun_write_success (guint8 *out, const guint8 *id, const RtcAddress *mapped, GHmac *key)
{
  gsize size = write_header (out, RTC_STUN_SUCCESS, id);
  gsize ip_size = mapped->family == 4 ? 4 : 16;
  guint8 *value = add_attribute (out, &size, XOR_MAPPED_ADDRESS, 4 + ip_size);

  value[0] = 0;
  value[1] = mapped->family == 4 ? 1 : 2;
  rtc_put_u16 (value + 2, mapped->port ^ (COOKIE >> 16));
  for (guint i = 0; i < ip_size; i++)
    value[4 + i] = mapped->ip[i] ^ out[4 + i];
  return rtc_stun_seal (out, size, key);
}

gsize
rtc_stun_write_error (guint8 *out, const guint8 *id, guint code, const guint16 *unknown, guint n_unknown, GHmac *key)
{
  gsize size = write_header (out, RTC_STUN_ERROR, id);
  guint8 *value = add_attribute (out, &size, ERROR_CODE, 4);

  g_return_val_if_fail (n_unknown <= RTC_STUN_MAX_UNKNOWN, 0);

  /* Without a phrase, which only people read, so that the answer is not longer than the question. */
  rtc_put_u16 (value, 0);
  value[2] = code / 100;
  value[3] = code % 100;
  if (n_unknown) {
    value = add_attribute (out, &size, UNKNOWN_ATTRIBUTES, 2 * n_unknown);
    for (guint i = 0; i < n_unknown; i++)
      rtc_put_u16 (value + 2 * i, unknown[i]);
  }
  return rtc_stun_seal (out, size, key);
}

gsize
rtc_stun_write_check (guint8 *out, const RtcStunCheck *check, GHmac *key)
{
  gsize size = write_header (out, RTC_STUN_REQUEST, check->id);
  gsize username_size = strlen (check->username);
  guint8 *value;

  g_return_val_if_fail (username_size <= RTC_STUN_MAX_USERNAME, 0);

  value = add_attribute (out, &size, USERNAME, username_size);
  memcpy (value, check->username, username_size);
  value = add_attribute (out, &size, PRIORITY, 4);
  rtc_put_u32 (value, check->priority);
  value = add_attribute (out, &size, check->controlling ? ICE_CONTROLLING : ICE_CONTROLLED, 8);
  rtc_put_u32 (value, check->tie_breaker >> 32);
  rtc_put_u32 (value + 4, check->tie_breaker);
  if (check->use_candidate)
    add_attribute (out, &size, USE_CANDIDATE, 0);
  return rtc_stun_seal (out, size, key);
}
