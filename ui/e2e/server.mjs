// Starts the real binary over an empty directory with a real recording, and speaks to its API.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** How long the server may take to import the recording and listen, on a loaded machine. */
const START_MS = 60_000;

/** How long it may take to end. */
const STOP_MS = 10_000;

export const PASSWORDS = { admin: "correct horse battery staple", responder: "stand watch until dawn", viewer: "look but do not touch" };

export class Server {
  static async start(binary, recordings, [command, ...more] = ["server"]) {
    const server = new Server();
    server.data = mkdtempSync(join(tmpdir(), "vedette-e2e-"));
    const imports = recordings.flatMap((file) => ["--import", file]);
    server.child = spawn(binary, [command, "--data", server.data, ...(more.includes("--listen") ? [] : ["--listen", "127.0.0.1:0"]), "--import-as-now", ...imports, ...more], { stdio: ["ignore", "pipe", "pipe"] });
    let said = "";
    server.said = () => said;
    const ready = new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`the server did not start within ${START_MS / 1000} s:\n${said}`)), START_MS);
      const listen = (chunk) => {
        said += chunk;
        const address = /https?:\/\/127\.0\.0\.1:\d+/.exec(said)?.[0];
        const token = /vdt_[\w-]+/.exec(said)?.[0];
        if (address && token) {
          clearTimeout(timer);
          resolve({ address, token });
        }
      };
      server.child.stdout.on("data", listen);
      server.child.stderr.on("data", listen);
      server.child.on("exit", (code) => reject(new Error(`the server ended with ${code}:\n${said}`)));
    });
    const { address, token } = await ready;
    server.base = address;
    server.token = token;
    return server;
  }

  /** A request as admin; throws what the server refuses. */
  async api(method, path, body, token = this.token) {
    const text = typeof body === "string";
    const response = await fetch(`${this.base}/api/v1${path}`, {
      method,
      headers: { ...(token ? { Authorization: `Bearer ${token}` } : {}), ...(body === undefined ? {} : { "Content-Type": text ? "application/x-ndjson" : "application/json" }) },
      ...(body === undefined ? {} : { body: text ? body : JSON.stringify(body) }),
    });
    const answer = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${answer}`);
    return answer ? JSON.parse(answer) : undefined;
  }

  async people() {
    await this.api("POST", "/users", { name: "admin", password: PASSWORDS.admin });
    for (const role of ["responder", "viewer"]) await this.api("POST", "/users", { name: role, role, password: PASSWORDS[role] });
  }

  /** A node of our own that reports what a test wants to see. */
  async join(node) {
    const { token } = await this.api("POST", "/join-tokens", { name: "e2e", days: 1 });
    const { node_token } = await this.api("POST", "/join", { token, node }, "");
    this.node = { name: node, token: node_token };
    await this.api("POST", "/heartbeat", { version: "0.1.0", kernel: "6.18.0", tier: "fanotify", canary: "passed", state: "running", events: 1234, drops: { ring_full: 3 }, lag_ms: 4 }, node_token);
  }

  async report(records) {
    return this.api("POST", "/ingest", records.map(line).join("\n"), this.node.token);
  }

  /** Asks for orders as an agent does, once, and answers each with what `account` gives. */
  async obey(account) {
    const response = await fetch(`${this.base}/api/v1/orders?wait=2`, { headers: { Authorization: `Bearer ${this.node.token}` } });
    const { orders } = await response.json();
    for (const order of orders) await this.api("POST", `/orders/${order.id}/account`, account(order), this.node.token);
    return orders;
  }

  /** Ends the server by its own means and takes its directory away. */
  async stop() {
    this.child.removeAllListeners("exit");
    const gone = new Promise((resolve) => this.child.once("exit", resolve));
    this.child.kill("SIGTERM");
    const timer = setTimeout(() => this.child.kill("SIGKILL"), STOP_MS);
    await gone;
    clearTimeout(timer);
    rmSync(this.data, { recursive: true, force: true });
  }
}

let counter = 0;
/** A finding as an agent sends it. */
export function finding(node, more = {}, fields = {}) {
  const time = BigInt(Date.now()) * 1_000_000n + BigInt(++counter);
  const { cmdline = "nc -l -p 4444", ...rest } = more;
  const process = { pid: 4000 + counter, name: "nc", exepath: "/bin/nc", cmdline, started: time - 1_000_000n };
  const record = {
    record: "finding",
    id: counter.toString(16).padStart(8, "0").repeat(4),
    source: "syscall",
    rule: "Reported by the test",
    priority: "Critical",
    message: "A test reported this | command=nc",
    tags: ["T1059"],
    node,
    fields: { "proc.name": "nc", "proc.cmdline": cmdline, "k8s.ns.name": "shop", "k8s.pod.name": "cart-0", "container.name": "web", ...fields },
    lineage: [process, { pid: 1, name: "init" }],
    ...rest,
  };
  // the time has more digits than a JavaScript number: written by hand, see `line`
  return { ...record, time };
}

/** A record as a line; big integers as plain digits. */
export function line(record) {
  return JSON.stringify(record, (_, value) => (typeof value === "bigint" ? `@${value}@` : value)).replaceAll(/"@(\d+)@"/g, "$1");
}
