import type { Clock } from "@cairn/env";
import { refusalOf } from "./refusal.ts";
import type { S3Call } from "./s3-call.ts";
import { type S3Reply, xmlReply } from "./s3-reply.ts";
import { errorElement } from "./xml/error-document.ts";
import { xmlDeclaration } from "./xml/xml-document.ts";

/** Clients give up on a connection over which nothing comes for long. */
const patienceMs = 5000;

/** What long work answers: a document without its declaration. */
export interface PatientAnswer {
  readonly root: string;
  readonly headers: S3Reply["headers"];
}

type Outcome = { readonly answer: PatientAnswer } | { readonly error: unknown };

/**
 * The answer of work that may take long. If it does, 200 and spaces leave before its end, and what it comes to is told by
 * the document alone: a failure as `<Error>`, which clients look for (S3 API reference, "CompleteMultipartUpload").
 */
export async function patientReply(call: S3Call, work: Promise<PatientAnswer>): Promise<S3Reply> {
  const { clock } = call.options.env;
  const settled = work.then(
    (answer): Outcome => ({ answer }),
    (error: unknown): Outcome => ({ error }),
  );
  const outcome = await within(clock, settled);
  if (!outcome) return { status: 200, headers: { "content-type": "application/xml" }, body: spaced(call, settled) };
  if ("error" in outcome) throw outcome.error;
  return xmlReply(xmlDeclaration + outcome.answer.root, outcome.answer.headers);
}

async function* spaced(call: S3Call, settled: Promise<Outcome>): AsyncGenerator<Uint8Array> {
  const { clock, log } = call.options.env;
  yield Buffer.from(xmlDeclaration);
  for (;;) {
    const outcome = await within(clock, settled);
    if (outcome === undefined) {
      yield Buffer.from(" ");
      continue;
    }
    if ("error" in outcome) {
      const { id, path } = call.request;
      const refusal = refusalOf(outcome.error);
      if (refusal.code === "InternalError") log.error({ err: outcome.error, request: id }, "request failed");
      yield Buffer.from(errorElement(refusal, { resource: path, requestId: id, hostId: "cairn" }));
    } else yield Buffer.from(outcome.answer.root);
    return;
  }
}

/** Undefined when it is not settled in time. */
function within(clock: Clock, settled: Promise<Outcome>): Promise<Outcome | undefined> {
  return new Promise((resolve) => {
    const timer = clock.after(patienceMs, () => resolve(undefined));
    void settled.then((outcome) => {
      timer.cancel();
      resolve(outcome);
    });
  });
}
