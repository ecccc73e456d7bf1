// Sign-in with an OpenID provider from the button to the session, against a small provider of our own on loopback.
import { createHash, createSign, generateKeyPairSync } from "node:crypto";
import { createServer } from "node:http";
import { Visit, assert, equal, test } from "./harness.mjs";
import { Server } from "./server.mjs";

const base64 = (value) => Buffer.from(value).toString("base64url");

/** A provider with one person, who agrees to everything; signs with RS256, asks for PKCE. */
class Provider {
  static async start() {
    const provider = new Provider();
    provider.codes = new Map();
    provider.groups = ["watch"];
    const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    provider.key = privateKey;
    provider.jwk = { ...publicKey.export({ format: "jwk" }), kid: "one", alg: "RS256", use: "sig" };
    provider.http = createServer((request, response) => {
      let body = "";
      request.on("data", (chunk) => (body += chunk));
      request.on("end", () => provider.answer(new URL(request.url, provider.issuer), new URLSearchParams(body), response));
    });
    await new Promise((resolve) => provider.http.listen(0, "127.0.0.1", resolve));
    provider.issuer = `http://127.0.0.1:${provider.http.address().port}`;
    return provider;
  }
  answer(url, form, response) {
    const json = (value, status = 200) => response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
    const { issuer } = this;
    switch (url.pathname) {
      case "/.well-known/openid-configuration":
        return json({ issuer, authorization_endpoint: `${issuer}/authorize`, token_endpoint: `${issuer}/token`, jwks_uri: `${issuer}/keys` });
      case "/keys":
        return json({ keys: [this.jwk] });
      case "/authorize": {
        const code = `code-${this.codes.size}`;
        const asked = Object.fromEntries(url.searchParams);
        this.codes.set(code, asked);
        response.writeHead(302, { location: `${asked.redirect_uri}?${new URLSearchParams({ code, state: asked.state })}` });
        return response.end();
      }
      case "/token": {
        const asked = this.codes.get(form.get("code"));
        this.codes.set(form.get("code"), undefined);
        const challenge = createHash("sha256").update(form.get("code_verifier") ?? "").digest("base64url");
        if (!asked || asked.code_challenge !== challenge || asked.redirect_uri !== form.get("redirect_uri")) return json({ error: "invalid_grant" }, 400);
        const now = Math.floor(Date.now() / 1000);
        const claims = { iss: issuer, aud: asked.client_id, sub: "u-1", preferred_username: "grace", groups: this.groups, nonce: asked.nonce, iat: now, exp: now + 60 };
        const text = `${base64(JSON.stringify({ alg: "RS256", kid: "one" }))}.${base64(JSON.stringify(claims))}`;
        const signature = createSign("RSA-SHA256").update(text).sign(this.key).toString("base64url");
        return json({ access_token: "a", token_type: "Bearer", id_token: `${text}.${signature}` });
      }
      default:
        return json({}, 404);
    }
  }
  stop() {
    this.http.close();
    this.http.closeAllConnections();
  }
}

/** A port that nobody listens on. */
async function free() {
  const probe = createServer();
  await new Promise((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const { port } = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

export function defineOpenid({ binary, browser }) {
  test("OpenID: from the button to a session with the role of the group, and a stranger stays outside", async () => {
    const provider = await Provider.start();
    let server;
    try {
      // the provider must know where people come back to, so the port is chosen before
      const port = await free();
      const options = ["--listen", `127.0.0.1:${port}`, "--public-url", `http://127.0.0.1:${port}`, "--openid-issuer", provider.issuer, "--openid-client-id", "vedette", "--openid-label", "Harbour", "--openid-role", "watch=responder"];
      server = await Server.start(binary, [], ["server", ...options]);
      const visit = await Visit.open(browser, server.base);
      // the provider's own page is the one place elsewhere that a browser is sent to
      visit.expected = new RegExp(`^request to ${provider.issuer}/authorize`);
      await visit.go("/");
      await visit.page.getByRole("link", { name: /Harbour/ }).click();
      await visit.page.getByRole("navigation", { name: "Screens" }).waitFor();
      const session = await visit.page.evaluate(async () => (await fetch("/api/v1/session")).json());
      equal([session.user, session.role], ["grace", "responder"], "who is signed in");
      await visit.page.getByRole("button", { name: "Sign out" }).click();
      await visit.heading("Sign in");
      // who is in none of the groups comes back to a page that says so
      provider.groups = ["galley"];
      visit.expected = new RegExp(`^request to ${provider.issuer}/authorize|401`);
      await visit.page.getByRole("link", { name: /Harbour/ }).click();
      await visit.page.getByRole("alert").getByText(/no way in here/).waitFor();
      const after = await visit.page.evaluate(async () => (await fetch("/api/v1/session")).status);
      assert(after === 401, `a stranger's session: ${after}`);
      await visit.close();
    } finally {
      await server?.stop();
      provider.stop();
    }
  });
}
