import { places, profilesFile } from "../places.ts";
import { readJsonFile, writeSecretFile } from "../secret-file.ts";

/** How a client reaches a cluster. */
export interface ClientProfile {
  readonly url: string;
  readonly token: string;
}

interface Profiles {
  readonly default?: string;
  readonly profiles?: Readonly<Record<string, ClientProfile & { readonly data?: string }>>;
}

const localName = "local";

export function readClientProfile(data: string): Promise<ClientProfile | undefined> {
  return readJsonFile<ClientProfile>(places.client(data));
}

/** Notes beside the data, and for this user as profile `local`, how to reach the cluster; the first profile becomes the default. */
export async function writeClientProfile(data: string, profile: ClientProfile): Promise<void> {
  await writeSecretFile(places.client(data), profile);
  const file = profilesFile();
  const known = (await readJsonFile<Profiles>(file)) ?? {};
  await writeSecretFile(file, {
    ...known,
    default: known.default ?? localName,
    profiles: { ...known.profiles, [localName]: { ...profile, data } },
  });
}
