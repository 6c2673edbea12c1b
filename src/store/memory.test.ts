import { createMemoryStore } from './memory.ts';
import { storeSuite } from './store.suite.ts';

storeSuite('MemoryStore', async (clock) => {
  const store = createMemoryStore({ clock });
  return { store, close: () => store.close() };
});
