//! What agents of a load run need on a cluster. Pure.

use super::super::manifest::{secured, sign_of};
use crate::load::{FILE, Orders, TASK, file};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};
use squall_place::kubernetes::RUN;
use std::{collections::BTreeMap, time::Duration};

/// What the Job, its pods' container and what they are given are called.
pub const AGENTS: &str = "squall-load";

/// Where a pod has what it is told.
const HOME: &str = "/etc/squall";

/// The annotation of a pod that its orders are in.
const ORDERS: &str = "squall.dev/orders";

/// The annotation by which Kubernetes numbers the pods of an Indexed Job, from 0.
const INDEX: &str = "batch.kubernetes.io/job-completion-index";

/// How long an agent may take to end in order when its pod is deleted.
const GRACE: u64 = 10;

/// A Job of agents.
pub struct Job {
    pub run: String,
    pub namespace: String,
    pub image: String,
    pub labels: BTreeMap<String, String>,
    /// For how long whoever started it may be silent.
    pub lease: Duration,
    pub agents: u32,
    /// Whatever becomes of everybody, the pods are ended after so long.
    pub at_most: Duration,
}

/// What whoever starts it may have to do, and its agents nothing of it: they have no account.
pub fn rules() -> Value {
    json!([
        {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["create", "get", "delete"]},
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["create", "patch"]},
        {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["create", "patch"]},
        {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["create"]},
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch", "patch"]},
        {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]},
    ])
}

/// Its namespace: what is in it is ours, and goes with it. No pod in it is one of a mesh.
pub fn namespace(job: &Job) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": job.namespace, "labels": job.labels}})
}

/// A sign of life of whoever started it, each with another number: by these the run is known to be alive.
pub fn sign(job: &Job, number: u64) -> Value {
    sign_of(&job.run, &job.namespace, &job.labels, job.lease, number)
}

/// What all agents are given, before they are there. A Secret: a command line may have credentials in it, and so may files.
pub fn told(job: &Job, task: &str, files: &[Vec<u8>]) -> Value {
    let files = files.iter().enumerate().map(|(nth, bytes)| (file(nth), STANDARD.encode(bytes)));
    let data: BTreeMap<String, String> = files.chain([(FILE.to_owned(), STANDARD.encode(task))]).collect();
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata(job), "data": data})
}

/// The Job.
///
/// Nobody takes the place of an agent that is lost: what it has sent is sent. And the others go on, which they would not where the Job as a whole
/// were given up for one of them (`backoffLimit: 0`).
pub fn job(job: &Job) -> Value {
    json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata(job),
        "spec": {
            "completionMode": "Indexed",
            "completions": job.agents,
            "parallelism": job.agents,
            "backoffLimitPerIndex": 0,
            "podReplacementPolicy": "Failed",
            "activeDeadlineSeconds": job.at_most.as_secs(),
            "template": {"metadata": {"labels": pod_labels(job)}, "spec": pod(job)},
        },
    })
}

fn pod(job: &Job) -> Value {
    json!({
        "restartPolicy": "Never",
        "automountServiceAccountToken": false,
        "enableServiceLinks": false,
        "terminationGracePeriodSeconds": GRACE,
        // As many machines as there are: what is scaled out is to be apart.
        "topologySpreadConstraints": [{
            "maxSkew": 1,
            "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": {RUN: job.run}},
        }],
        "containers": [{
            "name": AGENTS,
            "image": job.image,
            "imagePullPolicy": "IfNotPresent",
            "args": ["load-agent", "--task", HOME],
            "securityContext": secured(),
            "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}},
            "volumeMounts": [
                {"name": TASK, "mountPath": format!("{HOME}/{TASK}"), "readOnly": true},
                {"name": crate::load::ORDERS, "mountPath": format!("{HOME}/{}", crate::load::ORDERS), "readOnly": true},
            ],
        }],
        "volumes": [
            {"name": TASK, "secret": {"secretName": AGENTS}},
            {"name": crate::load::ORDERS, "downwardAPI": {"items": [{
                "path": FILE,
                "fieldRef": {"fieldPath": format!("metadata.annotations['{ORDERS}']")},
            }]}},
        ],
    })
}

fn metadata(job: &Job) -> Value {
    json!({"name": AGENTS, "namespace": job.namespace, "labels": job.labels})
}

fn pod_labels(job: &Job) -> Map<String, Value> {
    let own = [("app", AGENTS), ("sidecar.istio.io/inject", "false")];
    let own = own.into_iter().map(|(key, value)| (key.to_owned(), json!(value)));
    job.labels.iter().map(|(key, value)| (key.clone(), json!(value))).chain(own).collect()
}

/// One of its pods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pod {
    pub name: String,
    uid: String,
}

/// The pod of each agent, as far as there is one.
pub fn pods(found: &[Value], agents: u32) -> Vec<Option<Pod>> {
    let mut all = vec![None; agents as usize];
    for pod in found {
        let metadata = &pod["metadata"];
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let nth: Option<usize> = metadata["annotations"][INDEX].as_str().and_then(|nth| nth.parse().ok());
        if let (Some(place), Some(name), Some(uid)) =
            (nth.and_then(|nth| all.get_mut(nth)), text(&metadata["name"]), text(&metadata["uid"]))
        {
            place.get_or_insert(Pod { name, uid });
        }
    }
    all
}

/// A pod with its orders. The identity keeps it from being made where it is gone.
pub fn ordered(job: &Job, pod: &Pod, orders: &Orders) -> serde_json::Result<Value> {
    Ok(json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": pod.name, "namespace": job.namespace, "uid": pod.uid,
            "annotations": {ORDERS: serde_json::to_string(orders)?},
        },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Job {
        Job {
            run: "20261127-170000-0123".into(),
            namespace: "squall-20261127-170000-0123".into(),
            image: "squall:0.1.0".into(),
            labels: super::super::super::remote::labels("20261127-170000-0123"),
            lease: Duration::from_secs(15),
            agents: 4,
            at_most: Duration::from_secs(300),
        }
    }

    #[test]
    fn the_job() {
        insta::assert_snapshot!(serde_yaml::to_string(&job(&sample())).unwrap(), @r#"
        apiVersion: batch/v1
        kind: Job
        metadata:
          labels:
            app.kubernetes.io/managed-by: squall
            squall.dev/run: 20261127-170000-0123
          name: squall-load
          namespace: squall-20261127-170000-0123
        spec:
          activeDeadlineSeconds: 300
          backoffLimitPerIndex: 0
          completionMode: Indexed
          completions: 4
          parallelism: 4
          podReplacementPolicy: Failed
          template:
            metadata:
              labels:
                app: squall-load
                app.kubernetes.io/managed-by: squall
                sidecar.istio.io/inject: 'false'
                squall.dev/run: 20261127-170000-0123
            spec:
              automountServiceAccountToken: false
              containers:
              - args:
                - load-agent
                - --task
                - /etc/squall
                image: squall:0.1.0
                imagePullPolicy: IfNotPresent
                name: squall-load
                resources:
                  requests:
                    cpu: 100m
                    memory: 64Mi
                securityContext:
                  allowPrivilegeEscalation: false
                  capabilities:
                    drop:
                    - ALL
                  runAsGroup: 1000
                  runAsNonRoot: true
                  runAsUser: 1000
                  seccompProfile:
                    type: RuntimeDefault
                volumeMounts:
                - mountPath: /etc/squall/task
                  name: task
                  readOnly: true
                - mountPath: /etc/squall/orders
                  name: orders
                  readOnly: true
              enableServiceLinks: false
              restartPolicy: Never
              terminationGracePeriodSeconds: 10
              topologySpreadConstraints:
              - labelSelector:
                  matchLabels:
                    squall.dev/run: 20261127-170000-0123
                maxSkew: 1
                topologyKey: kubernetes.io/hostname
                whenUnsatisfiable: ScheduleAnyway
              volumes:
              - name: task
                secret:
                  secretName: squall-load
              - downwardAPI:
                  items:
                  - fieldRef:
                      fieldPath: metadata.annotations['squall.dev/orders']
                    path: told.json
                name: orders
        "#);
    }

    #[test]
    fn what_agents_are_given_and_told() {
        let (job, pod) = (sample(), Pod { name: "squall-load-1-abcde".into(), uid: "u-1".into() });
        let orders = Orders { sign: 2, start: Some(7), stop: false };
        let all = [
            namespace(&job),
            sign(&job, 3),
            told(&job, "{}", &[b"a body".to_vec()]),
            ordered(&job, &pod, &orders).unwrap(),
        ];
        insta::assert_snapshot!(all.map(|one| serde_yaml::to_string(&one).unwrap()).join("---\n"), @r#"
        apiVersion: v1
        kind: Namespace
        metadata:
          labels:
            app.kubernetes.io/managed-by: squall
            squall.dev/run: 20261127-170000-0123
          name: squall-20261127-170000-0123
        ---
        apiVersion: coordination.k8s.io/v1
        kind: Lease
        metadata:
          labels:
            app.kubernetes.io/managed-by: squall
            squall.dev/run: 20261127-170000-0123
          name: squall-starter
          namespace: squall-20261127-170000-0123
        spec:
          holderIdentity: 20261127-170000-0123 sign 3
          leaseDurationSeconds: 15
        ---
        apiVersion: v1
        data:
          file-0: YSBib2R5
          told.json: e30=
        kind: Secret
        metadata:
          labels:
            app.kubernetes.io/managed-by: squall
            squall.dev/run: 20261127-170000-0123
          name: squall-load
          namespace: squall-20261127-170000-0123
        ---
        apiVersion: v1
        kind: Pod
        metadata:
          annotations:
            squall.dev/orders: '{"sign":2,"start":7,"stop":false}'
          name: squall-load-1-abcde
          namespace: squall-20261127-170000-0123
          uid: u-1
        "#);
    }

    #[test]
    fn bytes_as_others_write_them() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(STANDARD.encode(bytes), text, "{bytes}");
        }
        assert_eq!(STANDARD.encode([0xfb, 0xff, 0xfe]), "+//+");
    }

    #[test]
    fn pods_are_told_apart_by_their_number() {
        let pod = |nth: &str, name: &str| json!({"metadata": {"name": name, "uid": format!("of {name}"), "annotations": {INDEX: nth}}});
        let found = [pod("2", "c"), pod("0", "a"), pod("9", "z"), pod("x", "y"), pod("0", "again"), json!({})];
        let named = pods(&found, 3).into_iter().map(|pod| pod.map(|pod| pod.name));
        assert_eq!(named.collect::<Vec<_>>(), [Some("a".into()), None, Some("c".into())]);
    }
}
