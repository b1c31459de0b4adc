/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Camera and microphone need https: over http the page says so and how; over https, with a certificate of the
 * test's own, picture and camera work on the same port. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { until } from '../lib/until.mjs';

export default async function (stage) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'rtclink-tls-'));
  stage.atEnd(() => fs.rmSync(folder, { recursive: true }));
  const [certificate, key] = [path.join(folder, 'cert.pem'), path.join(folder, 'key.pem')];
  execFileSync(
    'openssl',
    [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-days',
      '2',
      '-subj',
      '/CN=rtclink test',
      '-addext',
      `subjectAltName=IP:${stage.address}`,
      '-keyout',
      key,
      '-out',
      certificate,
    ],
    { stdio: 'ignore' },
  );

  const plain = await stage.counter();
  const browser = await stage.browser(undefined, undefined, { secure: false });
  const page = await stage.open(browser);
  await stage.advances(page);
  assert.equal(await page.evaluate(() => isSecureContext), false);
  await page.click('#camera');
  await until('the explanation', () =>
    page.$eval('#notice', (n) => !n.hidden && /https:\/\/192\.0\.2\.1/.test(n.textContent)),
  );
  await stage.screenshot(page, 'explained');
  await page.close();
  await plain.stop();

  const origin = stage.url.replace('http:', 'https:');
  const pipeline = await stage.counter({
    signal: `tls-certificate=${certificate} tls-private-key=${key}`,
    rest: 'rtc.video_src_0 ! decodebin ! videoconvert ! appsink name=picture',
    ready: (p) => until('the port', () => p.listening(stage.port, stage.address)),
  });
  const safe = await stage.open(browser, { origin });
  await stage.advances(safe);
  assert.equal(await safe.evaluate(() => isSecureContext), true);
  await safe.click('#camera');
  await until('the camera in the pipeline', () => pipeline.seen.picture?.changed > 20, 20000);
  await stage.screenshot(safe, 'camera');
  assert.deepEqual(safe.faults, []);
}
