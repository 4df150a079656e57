export const identity: { cluster: string; node: string; disk: number; uuid: string };
export function chunkOf(index: number): { id: string; generation: number; bytes: Uint8Array };
