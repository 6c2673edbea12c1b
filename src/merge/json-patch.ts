// JSON patch (RFC 6902) with upstream's limits and errors.
import fastJsonPatch, { type Operation } from 'fast-json-patch';
import { StatusError } from '#machinery/status.ts';
import { goWord, unprocessablePatch } from './json.ts';

/** Upstream's bound on the operations of one patch. */
export const MAX_JSON_PATCH_OPERATIONS = 10_000;
/** Upstream's bound on what `copy` operations may add together: ten times the largest body. A few of them double a document each. */
const MAX_COPIED_BYTES = 10 * 3 * 1024 * 1024;

/** The patched document; `document` stays as it is. `patch` is the parsed body. Throws StatusError 400, 413 or 422. */
export function applyJsonPatch(document: unknown, patch: unknown): unknown {
  if (!Array.isArray(patch)) {
    throw StatusError.badRequest(
      `error decoding patch: json: cannot unmarshal ${goWord(patch)} into Go value of type []handlers.jsonPatchOp`,
    );
  }
  if (patch.length > MAX_JSON_PATCH_OPERATIONS) {
    throw StatusError.requestEntityTooLarge(
      `Request entity is too large: The allowed maximum operations in a JSON patch is ${MAX_JSON_PATCH_OPERATIONS}, got ${patch.length}`,
    );
  }
  let copied = 0;
  try {
    let current = structuredClone(document);
    for (const [index, operation] of (patch as Operation[]).entries()) {
      if (operation?.op === 'copy') {
        copied += JSON.stringify(fastJsonPatch.getValueByPointer(current, operation.from) ?? null).length;
        if (copied > MAX_COPIED_BYTES) throw new Error(`the copy operations exceed ${MAX_COPIED_BYTES} bytes`);
      }
      current = fastJsonPatch.applyOperation(current, operation, true, true, true, index).newDocument;
    }
    return current;
  } catch (cause) {
    throw unprocessablePatch(cause);
  }
}
