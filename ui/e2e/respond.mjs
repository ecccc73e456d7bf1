// Acting on an event from its page, with an agent that the test plays.
import { HOSTILE } from "./tests.mjs";
import { PASSWORDS, finding } from "./server.mjs";
import { Visit, equal, test } from "./harness.mjs";

export function defineRespond({ server, browser }) {
  test(
    "acting on an event: nobody there, a rehearsal, the deed, and a refusal, each said plainly",
    async () => {
      const visit = await Visit.open(browser, server.base);
      await visit.signIn("responder", PASSWORDS.responder);
      const { page } = visit;
      await visit.go(`/events/${server.first.id}`);
      const act = page.getByRole("region", { name: "Act on it" });
      await act.getByText(/^Nothing can be done from here/).waitFor();
      equal(await act.getByRole("button").count(), 0, "buttons without an agent");
      const found = finding("e2e-node", { rule: "To be paused" }, { "container.full_id": "0123456789abcdef".repeat(4) });
      await server.report([found]);
      const account = (order) => ({
        outcome: order.deed === "kill_process" ? "withheld" : order.dry_run ? "dry_run" : "done",
        detail: order.deed === "kill_process" ? "process 4001 has ended" : order.dry_run ? "freezes the 1 process of container 0123456789ab" : "frozen (control group)",
        processes: [{ pid: 4001, name: HOSTILE, exe: "/bin/nc" }],
        total: 3,
      });
      const agent = { on: true };
      const work = (async () => {
        while (agent.on) await server.obey(account);
      })();
      try {
        await visit.go(`/events/${found.id}`);
        await act.getByText("Agent connected").waitFor();
        await act.getByRole("button", { name: "Pause the container…" }).click();
        const dialog = page.getByRole("dialog", { name: "Pause the container" });
        await dialog.getByText(/freezes the 1 process/).waitFor();
        await dialog.getByText("and 2 more").waitFor();
        await dialog.getByText("‹U+202E›").waitFor();
        equal(await visit.axe(), [], "axe on the rehearsal");
        await dialog.getByRole("button", { name: "Pause the container", exact: true }).click();
        await dialog.getByText("Paused", { exact: true }).waitFor();
        await dialog.getByRole("button", { name: "Close", exact: true }).last().click();
        await act.getByRole("list", { name: "What was done" }).getByText("by responder").waitFor();
        await act.getByRole("button", { name: "Resume the container…" }).waitFor();
        equal(await act.getByRole("button", { name: "Pause the container…" }).count(), 0, "pause while paused");
        await act.getByRole("button", { name: "Kill the process…" }).click();
        const refused = page.getByRole("dialog", { name: "Kill the process" });
        await refused.getByText("process 4001 has ended").waitFor();
        await refused.getByText("Nothing was done.").waitFor();
        equal(await refused.getByRole("button", { name: "Kill the process", exact: true }).count(), 0, "confirmation of what was refused");
      } finally {
        agent.on = false;
        await work;
      }
      await visit.close();
    },
  );
}
