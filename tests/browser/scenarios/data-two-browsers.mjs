/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The same between Chromium and Firefox. */

import play from './data-pages.mjs';

export default function (stage) {
  stage.pair = ['chromium', 'firefox'];
  return play(stage);
}
