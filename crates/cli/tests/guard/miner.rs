//! A policy against miners on real containers: one hashes for a pool in another network namespace and is answered, one
//! works as much for the same far end and is left alone.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use vedette_guard::act::ContainerGroups;

use crate::cell::{Agent, Runc, run};
use crate::respond::{becomes, frozen, init, state};

/// Where the pool listens; each test has its own pair of namespaces, so the addresses need not differ.
const POOL: &str = "192.0.2.1";
const PORT: &str = "3333";

/// A network namespace with somebody who answers every line with the same line.
struct Pool {
    namespace: String,
    server: Option<Child>,
}

impl Pool {
    fn open() -> Option<Self> {
        let namespace = format!("vedette-pool-{}", std::process::id());
        let made = run("ip", &["netns", "add", &namespace]);
        if !made.is_some_and(|output| output.status.success()) {
            println!("skipped: no network namespaces here");
            return None;
        }
        let mut pool = Self {
            namespace,
            server: None,
        };
        pool.ip(&["link", "set", "lo", "up"]);
        pool.ip(&["link", "add", "br0", "type", "bridge"]);
        pool.ip(&["address", "add", &format!("{POOL}/24"), "dev", "br0"]);
        pool.ip(&["link", "set", "br0", "up"]);
        let arguments = ["netns", "exec", &pool.namespace, "busybox", "nc"];
        pool.server = Command::new("ip")
            .args(arguments)
            .args(["-ll", "-p", PORT, "-e", "/bin/cat"])
            .stdin(Stdio::null())
            .spawn()
            .ok();
        Some(pool)
    }

    fn ip(&self, arguments: &[&str]) {
        let output = run("ip", &[&["-n", &self.namespace], arguments].concat()).unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
    }

    /// A cable from the pool to the network namespace of a container.
    fn connect(&self, container: &Runc, number: u8) {
        let (pid, cable) = (init(container).to_string(), format!("cable{number}"));
        self.ip(&[
            "link", "add", &cable, "type", "veth", "peer", "name", "eth0", "netns", &pid,
        ]);
        self.ip(&["link", "set", &cable, "master", "br0", "up"]);
        let inside = |arguments: &[&str]| {
            let output = run("nsenter", &[&["-t", &pid, "-n", "ip"], arguments].concat());
            assert!(output.unwrap().status.success(), "{arguments:?}");
        };
        let address = format!("192.0.2.{}/24", 10 + number);
        inside(&["address", "add", &address, "dev", "eth0"]);
        inside(&["link", "set", "eth0", "up"]);
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        if let Some(server) = &mut self.server {
            let _ = server.kill();
            let _ = server.wait();
        }
        // those that it made for each connection ended with the connection
        run("ip", &["netns", "delete", &self.namespace]);
    }
}

/// Waits for the file that says there is a network, and does something then and for good.
fn when_connected(what: &str) -> String {
    format!("while [ ! -e /connected ]; do /bin/sleep 0.1; done; {what}")
}

/// The policy's action and whether it has happened, on a container that mines beside one that does not.
fn a_miner_is_answered(action: &str, happened: impl Fn(&Runc)) {
    let mines = when_connected(&format!(
        "export RANGE_MINER_SECONDS=20; while :; do /bin/xmrig -o {POOL}:{PORT}; done"
    ));
    // as busy, with a connection held all the while, but with programs that come and go
    let works = when_connected(&format!(
        "/bin/sleep 1000 | /bin/nc {POOL} {PORT} > /dev/null & \
         while :; do /bin/cat /bin/busybox | /bin/cat > /dev/null; done"
    ));
    let both: Option<Vec<Runc>> = [(1, &mines), (2, &works)]
        .iter()
        .map(|(number, script)| Runc::start_as(*number, &["/bin/sh", "-c", script]))
        .collect();
    let (Some(both), Some(pool)) = (both, Pool::open()) else {
        return;
    };
    let [miner, worker] = both.as_slice() else {
        return;
    };
    let parts = vedette_lab::parts();
    if parts.is_empty() {
        println!("skipped: the lab's program was not built here");
        return;
    }
    let root = |container: &Runc| container.base.join("room/rootfs");
    let xmrig = root(miner).join("bin/xmrig");
    fs::write(&xmrig, parts).unwrap();
    run("chmod", &["755", &xmrig.display().to_string()]).unwrap();

    let policy = miner.base.join("policy.yaml");
    fs::write(
        &policy,
        format!("- name: no mining here\n  detectors: [miner]\n  actions: [{action}]\n"),
    )
    .unwrap();
    let agent = Agent::start_with(&policy, &["--set", "miners_window_seconds=2"]);
    if agent.wait_for(&["watching"]).is_err() || !miner.up() || !worker.up() {
        println!("skipped: no agent or no container here");
        return;
    }
    for (number, container) in (1..).zip(&both) {
        pool.connect(container, number);
        fs::write(root(container).join("connected"), "").unwrap();
    }
    let line = agent
        .wait_for(&["\"record\":\"finding\"", "\"source\":\"miner\"", &miner.id])
        .expect("the miner is told");
    let finding: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(finding["policy"], "no mining here", "{line}");
    assert_eq!(finding["actions"][0]["kind"], action, "{line}");
    assert_eq!(finding["actions"][0]["outcome"], "done", "{line}");
    assert!(line.contains(&format!("{POOL}:{PORT}")), "{line}");
    happened(miner);
    assert_eq!(state(worker), "running");
    assert!(!frozen(worker));
    // it was looked at as often as the miner, and a window more does not change what was seen
    let parts = ["\"source\":\"miner\"", worker.id.as_str()];
    assert_eq!(
        agent.says(Duration::from_secs(3), &parts),
        [] as [String; 0]
    );
}

#[test]
fn a_container_that_mines_is_paused_and_its_neighbour_is_not() {
    a_miner_is_answered("pause_container", |miner| {
        assert!(frozen(miner));
        // so that it can be taken down
        let groups = ContainerGroups::of(init(miner), &miner.id).unwrap();
        groups.pause(false).unwrap();
    });
}

#[test]
fn a_container_that_mines_is_killed_and_its_neighbour_is_not() {
    a_miner_is_answered("kill_container", |miner| becomes(miner, "stopped"));
}
