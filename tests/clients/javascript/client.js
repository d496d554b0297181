// The JavaScript client: typed calls, patches, watches, informers. Prints `ok` at the end.
// It comes on standard input, so that its imports are looked for in the current folder.

import assert from "node:assert/strict";
import fs from "node:fs";
import {
  ApiException,
  AppsV1Api,
  AuthorizationV1Api,
  CoreV1Api,
  KubeConfig,
  KubernetesObjectApi,
  PatchStrategy,
  VersionApi,
  Watch,
  loadAllYaml,
  makeInformer,
  setHeaderOptions,
} from "@kubernetes/client-node";

const [kubeconfig, namespace, manifest] = process.argv.slice(2);
const config = new KubeConfig();
config.loadFromFile(kubeconfig);
const core = config.makeApiClient(CoreV1Api);
const apps = config.makeApiClient(AppsV1Api);

async function refused(code, reason, call) {
  const error = await call.then(
    () => assert.fail("it was not refused"),
    (error) => error,
  );
  assert.ok(error instanceof ApiException, error);
  assert.equal(error.code, code);
  assert.equal(JSON.parse(error.body).reason, reason);
}

const version = await config.makeApiClient(VersionApi).getCode();
assert.equal(version.minor, "36");
await core.createNamespace({ body: { metadata: { name: namespace } } });

// Create, read, list, replace, patch.
for (const name of ["a", "b", "c"]) {
  const body = { metadata: { name, labels: { name } }, data: { name } };
  await core.createNamespacedConfigMap({ namespace, body });
}
const listed = await core.listNamespacedConfigMap({ namespace, labelSelector: "name notin (b)", limit: 10 });
assert.deepEqual(
  listed.items.map((item) => item.metadata.name).filter((name) => name.length === 1),
  ["a", "c"],
);
const own = await core.readNamespacedConfigMap({ name: "a", namespace });
assert.ok(own.metadata.creationTimestamp instanceof Date);
own.data.name = "changed";
await core.replaceNamespacedConfigMap({ name: "a", namespace, body: own });
await refused(409, "Conflict", core.replaceNamespacedConfigMap({ name: "a", namespace, body: own }));
await refused(404, "NotFound", core.readNamespacedConfigMap({ name: "absent", namespace }));
await refused(
  422,
  "Invalid",
  core.createNamespacedConfigMap({ namespace, body: { metadata: { name: "No Good" } } }),
);
const patches = [
  [PatchStrategy.JsonPatch, [{ op: "add", path: "/data/json", value: "1" }]],
  [PatchStrategy.MergePatch, { data: { merge: "1" } }],
  [PatchStrategy.StrategicMergePatch, { data: { strategic: "1" } }],
];
for (const [strategy, body] of patches) {
  await core.patchNamespacedConfigMap(
    { name: "a", namespace, body },
    setHeaderOptions("Content-Type", strategy),
  );
}
const patched = await core.readNamespacedConfigMap({ name: "a", namespace });
assert.deepEqual(patched.data, { name: "changed", json: "1", merge: "1", strategic: "1" });

// Objects of any kind, server-side apply among them.
const objects = KubernetesObjectApi.makeApiClient(config);
for (const object of loadAllYaml(fs.readFileSync(manifest, "utf8"))) {
  object.metadata.namespace = namespace;
  const created = await objects.create(object);
  assert.equal(created.kind, object.kind);
  const applied = await objects.patch(
    object,
    undefined,
    undefined,
    "script",
    true,
    PatchStrategy.ServerSideApply,
  );
  assert.ok(applied.metadata.managedFields.some((entry) => entry.operation === "Apply"));
}
const kinds = await objects.list("apps/v1", "Deployment", namespace);
assert.deepEqual(
  kinds.items.map((item) => item.metadata.name),
  ["web"],
);
const scale = await apps.readNamespacedDeploymentScale({ name: "web", namespace });
assert.equal(scale.spec.replicas ?? 0, 0);
scale.spec.replicas = 1;
const scaled = await apps.replaceNamespacedDeploymentScale({ name: "web", namespace, body: scale });
assert.equal(scaled.spec.replicas, 1);

// A watch from a list's revision.
const since = (await core.listNamespacedConfigMap({ namespace })).metadata.resourceVersion;
await core.deleteNamespacedConfigMap({ name: "b", namespace });
await core.createNamespacedConfigMap({ namespace, body: { metadata: { name: "d" } } });
const path = `/api/v1/namespaces/${namespace}/configmaps`;
const seen = await new Promise((resolve, reject) => {
  const events = [];
  let request;
  const watching = new Watch(config).watch(
    path,
    { resourceVersion: since, allowWatchBookmarks: true },
    (type, object) => {
      events.push(`${type} ${object.metadata.name}`);
      if (events.length === 2) {
        request.abort();
        resolve(events);
      }
    },
    (error) => (events.length === 2 ? undefined : reject(error ?? new Error("the watch ended"))),
  );
  watching.then((started) => (request = started), reject);
});
assert.deepEqual(seen, ["DELETED b", "ADDED d"]);

// An informer: what is there, then what happens.
const informer = makeInformer(config, path, () => core.listNamespacedConfigMap({ namespace }));
const told = new Promise((resolve, reject) => {
  informer.on("error", reject);
  informer.on("update", (object) => object.metadata.name === "c" && resolve());
});
const added = new Promise((resolve) =>
  informer.on("add", (object) => object.metadata.name === "c" && resolve()),
);
await informer.start();
await added;
await core.patchNamespacedConfigMap(
  { name: "c", namespace, body: { data: { more: "1" } } },
  setHeaderOptions("Content-Type", PatchStrategy.MergePatch),
);
await told;
assert.equal(informer.get("c", namespace).data.more, "1");
await informer.stop();

const review = await config.makeApiClient(AuthorizationV1Api).createSelfSubjectAccessReview({
  body: { spec: { resourceAttributes: { namespace, verb: "get", resource: "pods" } } },
});
assert.equal(review.status.allowed, true);
await core.deleteCollectionNamespacedConfigMap({ namespace, labelSelector: "name=c" });
await refused(404, "NotFound", core.readNamespacedConfigMap({ name: "c", namespace }));
const gone = await core.deleteNamespace({ name: namespace });
assert.ok(gone);
console.log("ok");
process.exit(0);
