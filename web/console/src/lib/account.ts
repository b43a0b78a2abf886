/** One change of an account: asked with the version that was read, told to the page. */

import { patch } from '@/api/client';
import type { Account, AccountChange } from '@/api/types';
import { well } from './copy';
import { useAction } from './use';

export function useAccountChange(account: () => Account, changed: (now: Account) => void) {
  const work = useAction();
  const save = (what: AccountChange) =>
    work.run(async () => {
      const had = account();
      changed(await patch<Account>(`/accounts/${had.bizid}`, { ...what, version: had.version }));
      well();
    });
  return { ...work, save };
}
