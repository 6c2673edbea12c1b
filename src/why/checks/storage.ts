// storage: are the data there, and will they be after the next restart? Claims that keep a pod from starting break the connection; data
// that will be lost are a warning.
import type { Pod, Volume } from '#generated/api/core-v1.ts';
import type { Facts } from '../facts.ts';
import {
  command,
  evidence,
  type Finding,
  finding,
  found,
  type LinkResult,
  manifest,
  note,
  ok,
  yaml,
} from '../finding.ts';
import type { Located } from '../locate.ts';
import { isReady, isTerminating, nameOf, namespaceOf, ownerField, ownerOf, pathOf } from '../pods.ts';
import { lastWarning, meantPods } from './pod.ts';

/**
 * Where servers keep their data: by image, the directory and the variable that moves it. The directory is a volume of the image, too:
 * where nothing is mounted at it itself, the runtime mounts a directory that ends with the pod, over a claim that is mounted above.
 */
const SERVERS: readonly { readonly image: RegExp; readonly directory: string; readonly variable?: string }[] = [
  {
    image: /(^|\/)(postgres|postgis|timescaledb|pgvector)[:@-]?/,
    directory: '/var/lib/postgresql/data',
    variable: 'PGDATA',
  },
  { image: /(^|\/)(mysql|mariadb|percona)[:@-]?/, directory: '/var/lib/mysql' },
  { image: /(^|\/)mongo[:@-]?/, directory: '/data/db' },
];

export function checkStorage(facts: Facts, located: Located): LinkResult | undefined {
  const pods = meantPods(facts, located);
  const waiting = pods.filter((p) => !isReady(p));
  for (const pod of waiting) {
    const cause = claimTrouble(facts, pod) ?? multiAttach(facts, pod);
    if (cause === undefined) continue;
    const others = pods.some((p) => isReady(p) && !isTerminating(p));
    return found('storage', [others ? { ...cause, certainty: 'warning' } : cause]);
  }
  for (const pod of pods) {
    const warning = persistence(facts, pod);
    if (warning !== undefined) return found('storage', [warning]);
  }
  const claims = pods.flatMap((p) => claimsOf(p).map((c) => c.name));
  return claims.length === 0 ? undefined : ok('storage', `claims ${[...new Set(claims)].join(', ')}`);
}

interface Use {
  readonly volume: Volume;
  readonly name: string;
}

function claimsOf(pod: Pod): readonly Use[] {
  return (pod.spec?.volumes ?? []).flatMap((volume) => {
    if (volume.persistentVolumeClaim !== undefined) return [{ volume, name: volume.persistentVolumeClaim.claimName }];
    return volume.ephemeral === undefined ? [] : [{ volume, name: `${nameOf(pod)}-${volume.name}` }];
  });
}

function claimTrouble(facts: Facts, pod: Pod): Finding | undefined {
  if (facts.denied.some((d) => d.kind === 'claims')) return undefined;
  const namespace = namespaceOf(pod);
  for (const use of claimsOf(pod)) {
    const claim = facts.objects.claims.find((c) => nameOf(c) === use.name && namespaceOf(c) === namespace);
    const index = (pod.spec?.volumes ?? []).indexOf(use.volume);
    if (claim === undefined) {
      const object = {
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        metadata: { name: use.name, namespace },
        spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
      };
      const near = facts.objects.claims.filter((c) => namespaceOf(c) === namespace).map(nameOf);
      return finding('ClaimMissing', {
        object: ownerField(pod, `spec.volumes[${index}].persistentVolumeClaim.claimName`),
        message: `pod ${pathOf(pod)} mounts PersistentVolumeClaim ${use.name}, which does not exist${near.length === 0 ? '' : `; there ${near.length === 1 ? 'is' : 'are'} ${near.join(', ')}`}`,
        evidence: [evidence(`Pod ${pathOf(pod)} spec.volumes[${index}]`, use.name)],
        cure: [
          manifest(yaml(object)),
          ...(near.length === 0 ? [] : [note(`or name ${near.join(' or ')} in ${ownerOf(pod).ref}`)]),
        ],
      });
    }
    if (claim.status?.phase === 'Bound') continue;
    const className = claim.spec?.storageClassName;
    const storageClass = facts.objects.storageClasses.find((s) => nameOf(s) === className);
    // WaitForFirstConsumer waits for the scheduler: what holds the scheduler back is the cause, not the claim.
    if (
      storageClass?.volumeBindingMode === 'WaitForFirstConsumer' &&
      !/ProvisioningFailed/.test(eventOf(facts, 'PersistentVolumeClaim', use.name, namespace) ?? '')
    )
      continue;
    const fallback =
      facts.objects.storageClasses.find(
        (s) => s.metadata.annotations?.['storageclass.kubernetes.io/is-default-class'] === 'true',
      ) ?? facts.objects.storageClasses[0];
    const said = eventOf(facts, 'PersistentVolumeClaim', use.name, namespace);
    return finding('ClaimPending', {
      object: {
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        namespace,
        name: use.name,
        field: 'spec.storageClassName',
      },
      message: `PersistentVolumeClaim ${namespace}/${use.name} of pod ${nameOf(pod)} has no volume: ${className !== undefined && className !== '' && storageClass === undefined ? `there is no storage class ${className}` : (said ?? 'nobody has made one')}`,
      evidence: [
        evidence(`PersistentVolumeClaim ${namespace}/${use.name} status.phase`, claim.status?.phase ?? 'Pending'),
        evidence('storage classes', facts.objects.storageClasses.map(nameOf).join(', ') || 'none'),
        ...(said === undefined ? [] : [evidence(`events of claim ${use.name}`, said)]),
      ],
      cure: pendingCure(pod, claim, fallback === undefined ? undefined : nameOf(fallback)),
    });
  }
  return undefined;
}

type Claim = Facts['objects']['claims'][number];

/** A claim's class cannot be changed: the claim is made anew; it has no data yet. */
function pendingCure(pod: Pod, claim: Claim, className: string | undefined) {
  if (className === undefined)
    return [note('the cluster has no storage class: install a provisioner, or make a PersistentVolume that fits')];
  const again = {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: {
      name: nameOf(claim),
      namespace: namespaceOf(claim),
      ...(claim.metadata.labels === undefined ? {} : { labels: claim.metadata.labels }),
    },
    spec: {
      accessModes: claim.spec?.accessModes ?? ['ReadWriteOnce'],
      storageClassName: className,
      resources: claim.spec?.resources,
    },
  };
  const text = yaml(again).trimEnd();
  return [
    command(
      `kubectl -n ${namespaceOf(claim)} delete pvc ${nameOf(claim)} --wait=false${pod.spec?.nodeName === undefined ? '' : ` && kubectl -n ${namespaceOf(pod)} delete pod ${nameOf(pod)} --wait=false`}; kubectl -n ${namespaceOf(claim)} wait --for=delete pvc/${nameOf(claim)} --timeout=60s; kubectl create -f - <<'END'\n${text}\nEND`,
    ),
    note(
      'the claim has no volume yet, so nothing is lost; a StatefulSet’s volumeClaimTemplates need the class as well',
    ),
  ];
}

function eventOf(facts: Facts, kind: string, name: string, namespace: string): string | undefined {
  return facts.objects.events
    .filter(
      (e) =>
        e.involvedObject.kind === kind && e.involvedObject.name === name && e.involvedObject.namespace === namespace,
    )
    .sort((a, b) => ((a.lastTimestamp ?? '') < (b.lastTimestamp ?? '') ? -1 : 1))
    .map((e) => `${e.reason}: ${e.message}`)
    .at(-1);
}

function multiAttach(facts: Facts, pod: Pod): Finding | undefined {
  const said = lastWarning(facts, pod, /FailedAttachVolume|FailedMount/);
  if (said === undefined || !/Multi-Attach|already (exclusively )?attached|in use by/i.test(said)) return undefined;
  const names = claimsOf(pod).map((c) => c.name);
  const holder = facts.objects.pods.find(
    (p) =>
      p !== pod &&
      namespaceOf(p) === namespaceOf(pod) &&
      p.spec?.nodeName !== pod.spec?.nodeName &&
      claimsOf(p).some((c) => names.includes(c.name)),
  );
  const owner = ownerOf(pod);
  const claim = claimsOf(holder ?? pod).find((c) => names.includes(c.name))?.name ?? names[0];
  return finding('MultiAttach', {
    object: {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      namespace: namespaceOf(pod),
      name: claim ?? '',
      field: 'spec.accessModes',
    },
    message: `pod ${pathOf(pod)} waits for the volume of claim ${claim}, which ${holder === undefined ? 'another node' : `pod ${pathOf(holder)} on ${holder.spec?.nodeName}`} still holds`,
    evidence: [evidence(`events of pod ${pathOf(pod)}`, said)],
    cure: [
      ...(owner.kind === 'Deployment'
        ? [
            command(
              `kubectl -n ${owner.namespace} patch deployment ${owner.name} --type=merge -p '{"spec":{"strategy":{"type":"Recreate","rollingUpdate":null}}}'`,
            ),
          ]
        : []),
      ...(holder === undefined ? [] : [command(`kubectl -n ${namespaceOf(holder)} delete pod ${nameOf(holder)}`)]),
      ...(holder === undefined ? [note('kubectl get volumeattachments shows who holds it')] : []),
    ],
  });
}

/** Data that end with the pod. */
function persistence(facts: Facts, pod: Pod): Finding | undefined {
  const containers = pod.spec?.containers ?? [];
  for (const [index, c] of containers.entries()) {
    const server = SERVERS.find((s) => s.image.test(c.image ?? ''));
    if (server === undefined) continue;
    const moved = server.variable === undefined ? undefined : c.env?.find((e) => e.name === server.variable)?.value;
    const directory = moved ?? directoryArgument(c.args ?? c.command ?? []) ?? server.directory;
    const mount = (c.volumeMounts ?? [])
      .filter((m) => isWithin(directory, m.mountPath) && !isHidden(directory, m.mountPath, server.directory))
      .sort((a, b) => b.mountPath.length - a.mountPath.length)[0];
    const volume = pod.spec?.volumes?.find((v) => v.name === mount?.name);
    const lasting =
      volume !== undefined &&
      volume.emptyDir === undefined &&
      volume.configMap === undefined &&
      volume.secret === undefined;
    if (lasting) continue;
    const beside = (c.volumeMounts ?? [])
      .map((m, at) => ({ m, at, v: pod.spec?.volumes?.find((v) => v.name === m.name) }))
      .find((x) => x.v?.persistentVolumeClaim !== undefined || x.v?.ephemeral !== undefined);
    const owner = ownerOf(pod);
    if (beside !== undefined)
      return finding('DataBesideMount', {
        object: ownerField(pod, `spec.containers[${index}].volumeMounts[${beside.at}].mountPath`),
        message: `the claim of pod ${pathOf(pod)} is mounted at ${beside.m.mountPath}, and the server keeps its data in ${directory}: they end with the pod`,
        evidence: [
          evidence(`Pod ${pathOf(pod)} volumeMounts`, (c.volumeMounts ?? []).map((m) => m.mountPath).join(', ')),
          evidence('data directory', directory),
        ],
        cure: [
          command(
            `kubectl -n ${owner.namespace} patch ${owner.ref.replace('/', ' ')} --type=json -p '${JSON.stringify([{ op: 'replace', path: `/${owner.prefix.replaceAll('.', '/')}spec/containers/${index}/volumeMounts/${beside.at}/mountPath`, value: moved === undefined ? directory : parentOf(directory) }])}'`,
          ),
          note('save the data first (pg_dump): this begins with an empty directory'),
        ],
        certainty: 'warning',
      });
    void facts;
    return finding('DataNotPersistent', {
      object: ownerField(
        pod,
        mount === undefined ? 'spec.volumes' : `spec.volumes[${pod.spec?.volumes?.indexOf(volume!) ?? 0}].emptyDir`,
      ),
      message: `the data of pod ${pathOf(pod)} (${directory}) are ${volume?.emptyDir === undefined ? 'in the container itself' : 'in an emptyDir'}: they end with the pod`,
      evidence: [
        evidence(
          `Pod ${pathOf(pod)} volumeMounts`,
          (c.volumeMounts ?? []).map((m) => m.mountPath).join(', ') || 'none',
        ),
        evidence('data directory', directory),
      ],
      cure: persistCure(pod, index, directory, mount?.name),
      certainty: 'warning',
    });
  }
  return undefined;
}

function persistCure(pod: Pod, index: number, directory: string, volume: string | undefined) {
  const owner = ownerOf(pod);
  const claim = `${owner.name}-data`;
  const object = {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: claim, namespace: owner.namespace },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
  };
  if (owner.kind !== 'Deployment')
    return [
      note(
        'a StatefulSet with volumeClaimTemplates keeps the data: see examples/article/20-postgres.yaml; volumeClaimTemplates cannot be added to one that exists, so make it anew',
      ),
    ];
  const container = pod.spec?.containers[index];
  const patch = {
    spec: {
      strategy: { type: 'Recreate', rollingUpdate: null },
      template: {
        spec: {
          volumes: [{ name: volume ?? 'data', emptyDir: null, persistentVolumeClaim: { claimName: claim } }],
          containers: [
            {
              name: container?.name,
              env: /postgres/.test(container?.image ?? '')
                ? [{ name: 'PGDATA', value: `${directory}/pgdata` }]
                : undefined,
              volumeMounts: volume === undefined ? [{ name: 'data', mountPath: directory }] : undefined,
            },
          ],
        },
      },
    },
  };
  return [
    note('save the data first (pg_dump): this begins with an empty directory'),
    manifest(yaml(object)),
    command(
      `kubectl -n ${owner.namespace} patch deployment ${owner.name} --type=strategic -p '${JSON.stringify(patch)}'`,
    ),
  ];
}

const directoryArgument = (args: readonly string[]): string | undefined => {
  const at = args.findIndex((a) => a === '-D' || a === '--datadir' || a === '--dbpath');
  return at >= 0
    ? args[at + 1]
    : args.map((a) => /^--(?:datadir|dbpath)=(.*)$/.exec(a)?.[1]).find((v) => v !== undefined);
};

const isHidden = (directory: string, mount: string, imageVolume: string): boolean =>
  isWithin(directory, imageVolume) && mount !== imageVolume && isWithin(imageVolume, mount);
const isWithin = (directory: string, mount: string): boolean =>
  directory === mount || directory.startsWith(`${mount.replace(/\/$/, '')}/`);
const parentOf = (directory: string): string => directory.replace(/\/[^/]+\/?$/, '') || '/';
