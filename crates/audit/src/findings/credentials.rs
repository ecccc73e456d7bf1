//! Credentials of workloads used from where no workload is: an instance's role outside AWS, a pod's role outside the
//! cluster.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::Hit;
use super::cloudtrail::Call;
use super::memory::Memory;
use crate::json::Json;
use crate::lists::{ListKind, Lists};
use crate::record::Record;

/// Sessions of service accounts that are remembered. They live twelve hours at most; a large cluster has some thousands.
const MAX_SESSIONS: usize = 100_000;

/// Sessions by access key id.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct State {
    sessions: Memory<Session>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            sessions: Memory::new(MAX_SESSIONS),
        }
    }
}

/// A session that was given to a service account.
#[derive(Debug, Serialize, Deserialize)]
struct Session {
    account: String,
    address: Option<IpAddr>,
    agent: String,
}

/// Looks at a record.
pub(super) fn observe(
    record: &Record<'_>,
    lists: &mut Lists,
    state: &mut State,
    hits: &mut Vec<Hit>,
) {
    let json = record.json;
    let call = Call::new(json);
    if call.error.is_none() {
        match call.name.as_str() {
            "AssumeRoleWithWebIdentity" => return learn(&call, state),
            "AssumeRoleForPodIdentity" => return learn_pod_identity(&call, state),
            // A session that a pod's session takes up is the pod's as well.
            "AssumeRole" => learn_chain(&call, state),
            _ => {}
        }
    }
    // Calls that a service makes in the caller's place come from the service.
    let Some(address) = call.address.filter(|address| is_public(*address)) else {
        return;
    };
    if call.identity != "AssumedRole" {
        return;
    }
    judge_instance(record, &call, address, lists, hits);
    judge_pod(record, &call, address, lists, state, hits);
}

fn learn(call: &Call<'_>, state: &mut State) {
    let text = |keys: &[&str]| call.json.path(keys).and_then(Json::to_text);
    let account = text(&["userIdentity", "userName"]).filter(|name| is_service_account(name));
    let key = text(&["responseElements", "credentials", "accessKeyId"]);
    if let (Some(account), Some(key)) = (account, key) {
        let session = Session {
            account,
            address: call.address,
            agent: family(&text(&["userAgent"]).unwrap_or_default()),
        };
        state.sessions.insert(&key, session);
    }
}

/// What an `AssumeRoleForPodIdentity` event says of the pod that a session is for.
pub(super) struct PodIdentity {
    /// Service account in the form in which audit records name it.
    pub(super) account: String,
}

/// Reads the service account of an `AssumeRoleForPodIdentity` event: from its answer's subject, where the answer is
/// recorded, else from the claims of the request.
pub(super) fn pod_identity(json: Json<'_>) -> Option<PodIdentity> {
    let text = |keys: &[&str]| json.path(keys).and_then(Json::to_text);
    let parts = [
        "responseElements",
        "requestParameters",
        "additionalEventData",
    ]
    .iter()
    .find_map(|part| {
        let namespace = text(&[part, "subject", "namespace"])
            .or_else(|| text(&[part, "namespace"]))
            .or_else(|| text(&[part, "kubernetes-namespace"]))?;
        let account = text(&[part, "subject", "serviceAccount"])
            .or_else(|| text(&[part, "serviceAccount"]))
            .or_else(|| text(&[part, "kubernetes-service-account"]))?;
        Some((namespace, account))
    });
    let (namespace, account) = parts?;
    Some(PodIdentity {
        account: format!("system:serviceaccount:{namespace}:{account}"),
    })
}

/// The agent on the node asks for the session and the pod uses it: the address is the node's, the client is not the
/// pod's.
fn learn_pod_identity(call: &Call<'_>, state: &mut State) {
    let key = call
        .json
        .path(&["responseElements", "credentials", "accessKeyId"])
        .and_then(Json::to_text);
    if let (Some(PodIdentity { account }), Some(key)) = (pod_identity(call.json), key) {
        let session = Session {
            account,
            address: call.address,
            agent: String::new(),
        };
        state.sessions.insert(&key, session);
    }
}

/// A role that is taken up with a pod's session gives a session that is the pod's too.
fn learn_chain(call: &Call<'_>, state: &mut State) {
    let text = |keys: &[&str]| call.json.path(keys).and_then(Json::to_text);
    let known = text(&["userIdentity", "accessKeyId"]);
    let key = text(&["responseElements", "credentials", "accessKeyId"]);
    let (Some(known), Some(key)) = (known, key) else {
        return;
    };
    if let Some(session) = state.sessions.get(&known) {
        let session = Session {
            account: session.account.clone(),
            address: session.address,
            agent: session.agent.clone(),
        };
        state.sessions.insert(&key, session);
    }
}

fn is_service_account(name: &str) -> bool {
    name.starts_with("system:serviceaccount:")
}

/// The client without versions: `aws-sdk-go-v2/1.2 …` is `aws-sdk-go-v2`.
fn family(agent: &str) -> String {
    agent
        .trim_start_matches('[')
        .split(['/', ' '])
        .next()
        .unwrap_or_default()
        .to_owned()
}

/// Addresses that belong to somebody on the internet.
fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let shared = v4.octets()[0] == 100 && v4.octets()[1] & 0xc0 == 64;
            !(v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_unspecified()
                || shared)
        }
        IpAddr::V6(v6) => {
            !(v6.is_loopback()
                || v6.is_unique_local()
                || v6.is_unicast_link_local()
                || v6.is_unspecified())
        }
    }
}

/// The role of an instance, function or task used from an address that is not AWS's. Needs AWS's ranges.
fn judge_instance(
    record: &Record<'_>,
    call: &Call<'_>,
    address: IpAddr,
    lists: &Lists,
    hits: &mut Vec<Hit>,
) {
    if !lists.has(ListKind::AwsRanges)
        || lists.contains(ListKind::AwsRanges, address)
        || lists.contains(ListKind::Trusted, address)
    {
        return;
    }
    let identity = call.json.get("userIdentity");
    let text = |keys: &[&str]| {
        identity
            .and_then(|identity| identity.path(keys))
            .and_then(Json::to_text)
    };
    let session = text(&["principalId"]).unwrap_or_default();
    let session = session.split_once(':').map_or("", |(_, session)| session);
    // Sessions of instances are named by the instance; newer records also say how the credentials were delivered.
    let instance = session.strip_prefix("i-").is_some_and(|id| {
        (8..=17).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_hexdigit())
    }) || identity.is_some_and(|identity| {
        identity
            .path(&["sessionContext", "ec2RoleDelivery"])
            .is_some()
    });
    let issuer = text(&["inScopeOf", "issuerType"]).unwrap_or_default();
    let family = if instance || issuer == "AWS::EC2::Instance" {
        "InstanceCredentialExfiltration"
    } else if matches!(issuer.as_str(), "AWS::Lambda::Function" | "AWS::ECS::Task") {
        "ResourceCredentialExfiltration"
    } else {
        return;
    };
    let kind = format!("UnauthorizedAccess:IAMUser/{family}.OutsideAWS");
    hits.push(call.hit(record, &kind, session.to_owned()));
}

/// The role of a service account used from an address that is none of the cluster's. Where the cluster's addresses are
/// not known, the address must differ from the one that took the session up, and so must the client: a cluster has
/// several ways out.
fn judge_pod(
    record: &Record<'_>,
    call: &Call<'_>,
    address: IpAddr,
    lists: &Lists,
    state: &State,
    hits: &mut Vec<Hit>,
) {
    let text = |keys: &[&str]| call.json.path(keys).and_then(Json::to_text);
    let Some(key) = text(&["userIdentity", "accessKeyId"]) else {
        return;
    };
    let Some(session) = state.sessions.get(&key) else {
        return;
    };
    let outside = if lists.has(ListKind::Cluster) {
        !lists.contains(ListKind::Cluster, address)
    } else {
        session.address != Some(address)
            && family(&text(&["userAgent"]).unwrap_or_default()) != session.agent
    };
    if outside && !lists.contains(ListKind::Trusted, address) {
        let kind = "UnauthorizedAccess:Kubernetes/PodCredentialExfiltration.OutsideCluster";
        let mut hit = call.hit(record, kind, session.account.clone());
        hit.extra
            .push(("serviceAccount".to_owned(), session.account.clone()));
        hits.push(hit);
    }
}
