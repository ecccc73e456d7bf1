// What the screens promise, tried in a real browser against the real binary.
import { PASSWORDS, finding } from "./server.mjs";
import { Visit, assert, equal, test } from "./harness.mjs";

/** Text that tries everything a hostile command line could: markup, direction, terminal escapes. */
export const HOSTILE = `sh -c "<img src=x onerror=alert(1)>" \u202egnp.exe \u001b[31m`;

export function define({ server, browser }) {
  const open = (options) => Visit.open(browser, server.base, options);
  /** Signs somebody in, runs, and fails on anything that must not happen. */
  const as = (who, run, options) => async () => {
    const visit = await open(options);
    try {
      await visit.signIn(who, PASSWORDS[who]);
      await run(visit, visit.page);
    } catch (error) {
      // the page stays open for its picture
      if (visit.wrong.length) error.message += ` (also: ${visit.wrong.join("; ")})`;
      throw error;
    }
    await visit.close();
  };
  // the recording keeps its own date
  const range = `from=${server.from}`;
  const at = (path) => `${path}${path.includes("?") ? "&" : "?"}${range}`;

  test("sign-in: wrong, right, out, and a deep link that survives it", async () => {
    const visit = await open();
    visit.expected = /401/;
    await visit.go(at("/rules?q=shadow"));
    await visit.heading("Sign in");
    equal(await visit.axe(), [], "axe on sign-in");
    await visit.page.getByLabel("Name", { exact: true }).fill("admin");
    await visit.page.getByLabel("Password", { exact: true }).fill("wrong");
    await visit.page.getByRole("button", { name: "Sign in", exact: true }).click();
    await visit.page.getByRole("alert").waitFor();
    await visit.page.getByRole("button", { name: "Token" }).click();
    await visit.page.getByLabel("Token", { exact: true }).fill(server.token);
    await visit.page.getByRole("button", { name: "Sign in", exact: true }).click();
    await visit.heading("Rules");
    assert(visit.page.url().includes("q=shadow"), "the address stayed");
    await visit.page.getByRole("button", { name: "Sign out" }).click();
    await visit.heading("Sign in");
    await visit.go("/events");
    await visit.heading("Sign in");
    await visit.close();
  });

  const SCREENS = () => [
    ["/", "Home"],
    ["/insights", "Insights"],
    ["/insights?view=host", "Insights"],
    ["/insights?view=host&as=table", "Insights"],
    ["/events", "Events"],
    [`/events/${server.first.id}`, server.first.rule],
    [`/events/${server.first.id}/tree`, "Process tree"],
    ["/activity", "Activity"],
    ["/activity?tab=records", "Activity"],
    ["/rules", "Rules"],
    [`/rules/${encodeURIComponent(server.first.rule)}`, server.first.rule],
    ["/rules/new", "New rule"],
    ["/policies", "Policies"],
    ["/policies/new", "Policies"],
    ["/nodes", "Nodes"],
    ...["users", "tokens", "teams", "notifications", "retention", "audit-log"].map((tab) => [`/settings/${tab}`, "Settings"]),
    ["/nowhere", "No such page"],
  ];
  for (const theme of ["light", "dark"]) {
    test(
      `every screen without a finding of axe, ${theme}`,
      as(
        "admin",
        async (visit) => {
          const wrong = [];
          for (const [path, title] of SCREENS()) {
            await visit.go(at(path));
            await visit.heading(title);
            await visit.settled();
            for (const one of await visit.axe()) wrong.push(`${path} ${one}`);
            const wide = await visit.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
            if (wide > 0) wrong.push(`${path} is ${wide} px too wide`);
          }
          equal(wrong, [], "axe");
        },
        { colorScheme: theme },
      ),
    );
  }

  test(
    "a telephone shows every screen without scrolling sideways",
    as(
      "admin",
      async (visit, page) => {
        const wrong = [];
        for (const [path, title] of SCREENS()) {
          await visit.go(at(path));
          await visit.heading(title);
          await visit.settled();
          const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
          if (wide > 0) wrong.push(`${path} is ${wide} px too wide`);
        }
        equal(wrong, [], "width");
        await page.getByRole("button", { name: "Menu" }).click();
        await page.getByRole("link", { name: "Events" }).click();
        await visit.heading("Events");
      },
      { viewport: { width: 390, height: 844 } },
    ),
  );

  test(
    "from the alert to tree, reason, workload and safe action in three clicks",
    as("responder", async (visit, page) => {
      await visit.go(at("/"));
      let clicks = 0;
      await page.getByRole("region", { name: "Needs attention now" }).getByRole("listitem").first().getByRole("link").first().click();
      clicks++;
      await page.getByRole("treegrid", { name: "Process tree" }).getByText("this event").waitFor();
      await page.getByRole("heading", { name: "Why it fired" }).waitFor();
      await page.getByRole("list", { name: "Where it happened" }).getByRole("link").first().waitFor();
      await page.getByRole("button", { name: "Acknowledge" }).click();
      clicks++;
      await page.getByText("Acknowledged by responder").waitFor();
      await page.getByRole("status").getByRole("button", { name: "Undo" }).click();
      await page.getByRole("button", { name: "Acknowledge" }).waitFor();
      assert(clicks <= 3, "clicks");
    }),
  );

  test(
    "events: filter, mistake with its column, completion, facets, chips, order, more",
    as("viewer", async (visit, page) => {
      await visit.go(at("/events"));
      const rows = page.locator("a[data-finding]");
      await rows.first().waitFor();
      const box = page.getByRole("combobox", { name: "Filter" });
      await box.fill("sev");
      await page.getByRole("option", { name: /^severity/ }).first().waitFor();
      await box.press("ArrowDown");
      await box.press("Enter");
      equal(await box.inputValue(), "severity ", "completion");
      await box.pressSequentially("= critical");
      await box.press("Escape");
      await box.press("Enter");
      await page.waitForURL(/filter=/);
      await page.waitForFunction(() => [...document.querySelectorAll('[role="row"].row')].every((row) => row.textContent?.includes("Critical")));
      assert((await rows.count()) > 0, "critical events");
      visit.expected = /400/;
      await box.fill("severity = critical and bogus.field = 1");
      await box.press("Enter");
      const alert = page.getByRole("alert");
      await alert.waitFor();
      assert(/Column 25/.test(await alert.innerText()), `the column is named: ${await alert.innerText()}`);
      visit.expected = null;
      await page.getByRole("button", { name: "Clear the filter" }).click();
      await page.waitForFunction(() => !location.search.includes("filter="));
      const facet = page.getByRole("group", { name: "Rule" }).getByRole("checkbox").first();
      await facet.check();
      await page.waitForURL(/filter=rule/);
      const second = page.getByRole("group", { name: "Severity" }).getByRole("checkbox").first();
      await second.check();
      await page.getByRole("list", { name: "Clauses of the filter" }).getByRole("listitem").nth(1).waitFor();
      await page.getByRole("button", { name: /^Remove severity/ }).click();
      await page.waitForFunction(() => !location.search.includes("severity"));
      await page.goBack();
      await page.waitForFunction(() => location.search.includes("severity"));
      await visit.go(at("/events"));
      await page.getByRole("combobox", { name: "Order" }).selectOption("severity");
      await page.waitForURL(/order=severity/);
      await page.waitForFunction(() => document.querySelector('[role="row"].row')?.textContent?.includes("Critical"));
    }),
  );

  test(
    "every facet's first value narrows to exactly its count",
    as("viewer", async (visit, page) => {
      await visit.go(at("/events"));
      await page.locator("a[data-finding]").first().waitFor();
      await visit.settled();
      const names = await page.locator("fieldset legend").allInnerTexts();
      assert(names.length >= 5, `facets: ${names}`);
      for (const name of names) {
        await visit.go(at("/events"));
        const label = page.getByRole("group", { name, exact: true }).locator("label").first();
        const count = Number((await label.locator(".count").innerText()).replaceAll(",", ""));
        await label.locator("input").check();
        await page.getByRole("heading", { level: 2, name: new RegExp(`^${count} events?$`) }).waitFor();
      }
    }),
  );

  test(
    "live: what a node reports is there within a second, pauses and resumes",
    as("viewer", async (visit, page) => {
      await visit.go("/events?live=1&from=now-1h");
      await page.getByText("Live", { exact: true }).waitFor();
      const sent = Date.now();
      await server.report([finding("e2e-node", { rule: "Live one" })]);
      await page.getByRole("link", { name: "Live one" }).first().waitFor();
      const took = Date.now() - sent;
      console.log(`     live: ${took} ms from the report to the screen`);
      await page.getByRole("button", { name: "Pause" }).click();
      await server.report([finding("e2e-node", { rule: "Live two" })]);
      await page.getByText("Paused, 1 waiting").waitFor();
      equal(await page.getByRole("link", { name: "Live two" }).count(), 0, "rows while paused");
      await page.getByRole("button", { name: "Resume" }).click();
      await page.getByRole("link", { name: "Live two" }).waitFor();
      assert(took < 5000, `${took} ms to the screen`);
    }),
  );

  test(
    "hostile text is shown, marked and does nothing, wherever it appears",
    as("responder", async (visit, page) => {
      const hostile = finding("e2e-node", { rule: "Hostile text", message: `x ${HOSTILE} | ${HOSTILE}`, cmdline: HOSTILE }, { "container.name": HOSTILE, "k8s.pod.name": HOSTILE, "fd.name": HOSTILE });
      await server.report([hostile]);
      const filter = encodeURIComponent('rule = "Hostile text"');
      for (const path of [`/events?filter=${filter}`, `/events/${hostile.id}`, `/events/${hostile.id}/tree`, "/", "/insights", "/insights?view=host&as=table"]) {
        await visit.go(path);
        await visit.settled();
        const text = await page.locator("main").innerText();
        assert(!/[\u202e\u001b]/.test(text), `${path}: raw control characters`);
        equal(await page.locator("main img").count(), 0, `${path}: images`);
      }
      await visit.go(`/events/${hostile.id}`);
      await page.getByText("‹U+202E›").first().waitFor();
      await page.getByText("‹ESC›").first().waitFor();
      await page.getByRole("button", { name: "Show JSON" }).click();
      await page.getByRole("region", { name: "Raw JSON" }).getByText("Hostile text").first().waitFor();
    }),
  );

  test(
    "keyboard: go to, palette, list, help, and letters that can be switched off",
    as("responder", async (visit, page) => {
      await visit.go(at("/"));
      await visit.heading("Home");
      for (const [key, title] of [["i", "Insights"], ["a", "Activity"], ["r", "Rules"], ["p", "Policies"], ["n", "Nodes"], ["s", "Settings"], ["e", "Events"]]) {
        await page.keyboard.press("g");
        await page.keyboard.press(key);
        await visit.heading(title);
      }
      await page.locator("a[data-finding]").first().waitFor();
      await page.keyboard.press("/");
      assert(await page.getByRole("combobox", { name: "Filter" }).evaluate((box) => box === document.activeElement), "/ is in the filter");
      await page.keyboard.press("Escape");
      await page.keyboard.press("Escape");
      await page.keyboard.press("j");
      await page.keyboard.press("j");
      await page.keyboard.press("k");
      const first = await page.locator("a[data-finding]").first().getAttribute("data-finding");
      equal(await page.evaluate(() => document.activeElement?.getAttribute("data-finding")), first, "focus after j j k");
      await page.keyboard.press("x");
      await page.getByText("1 selected").waitFor();
      await page.keyboard.press("x");
      await page.keyboard.press("Enter");
      await page.waitForURL(new RegExp(`/events/${first}`));
      await page.keyboard.press("j");
      await page.waitForURL((url) => /\/events\/\w{32}/.test(url.pathname) && !url.pathname.includes(first));
      await page.keyboard.press("t");
      await visit.heading("Process tree");
      await page.keyboard.press("Control+k");
      await page.getByRole("combobox", { name: "What" }).fill("nodes");
      await page.keyboard.press("Enter");
      await visit.heading("Nodes");
      await page.keyboard.press("?");
      const help = page.getByRole("dialog", { name: "Keyboard" });
      await help.waitFor();
      await help.getByRole("checkbox").uncheck();
      await page.keyboard.press("Escape");
      await page.keyboard.press("?");
      equal(await page.getByRole("dialog").count(), 0, "dialogs with letters off");
      await page.evaluate(() => localStorage.removeItem("vedette.keys"));
    }),
  );

  test(
    "process tree: arrows move, open and close; Enter shows the process",
    as("viewer", async (visit, page) => {
      await visit.go(at(`/events/${server.first.id}/tree`));
      const rows = page.getByRole("treegrid").locator('[role="row"][aria-level]');
      await rows.first().waitFor();
      const all = await rows.count();
      assert(all >= 2, `${all} rows`);
      await rows.locator("visible=true").first().focus();
      await page.keyboard.press("Home");
      equal(await rows.first().getAttribute("aria-expanded"), "true", "the first row is open");
      await page.keyboard.press("ArrowLeft");
      await page.waitForFunction((n) => document.querySelectorAll('[role="row"][aria-level]').length < n, all);
      await page.keyboard.press("ArrowRight");
      await page.waitForFunction((n) => document.querySelectorAll('[role="row"][aria-level]').length === n, all);
      await page.keyboard.press("ArrowDown");
      await page.keyboard.press("Enter");
      await page.waitForURL(/process=/);
    }),
  );

  test(
    "insights: the map by keyboard, its table twin, and counts that add up",
    as("viewer", async (visit, page) => {
      await visit.go(at("/insights?view=host"));
      const map = page.getByRole("application");
      await map.waitFor();
      await map.focus();
      await page.keyboard.press("ArrowDown");
      await page.locator("#pointed", { hasText: /^node / }).waitFor();
      await page.keyboard.press("Enter");
      await page.waitForURL(/path=/);
      await page.keyboard.press("Escape");
      await page.waitForFunction(() => !location.search.includes("path="));
      await page.keyboard.press("t");
      await page.getByRole("treegrid", { name: "Findings by place" }).waitFor();
      const sums = await page.evaluate(() => {
        const number = (cell) => Number(cell.textContent.replaceAll(",", ""));
        const rows = [...document.querySelectorAll('tr[aria-level="1"]')].map((row) => [...row.querySelectorAll("td.num")].slice(0, 5).map(number));
        const side = [...document.querySelectorAll(".numbers dd")].slice(0, 5).map(number);
        return { rows: rows.reduce((sum, row) => sum.map((value, index) => value + row[index]), [0, 0, 0, 0, 0]), side };
      });
      equal(sums.rows, sums.side, "counts of the first level against the whole");
      const answer = await server.api("GET", `/findings?${range}&limit=1&count=true`);
      equal(sums.side.reduce((a, b) => a + b), answer.total, "counts against the list's total");
      await page.getByRole("button", { name: "Info", exact: true }).click();
      await page.waitForURL(/sev=/);
    }),
  );

  test(
    "activity: sessions, records by kind, and what was around an event",
    as("viewer", async (visit, page) => {
      await visit.go(at("/activity?tab=records"));
      await page.getByRole("region", { name: "Records" }).getByRole("listitem").first().waitFor();
      await page.getByRole("button", { name: "Commands", exact: true }).click();
      await page.waitForURL(/kind=command/);
      await page.waitForFunction(() => [...document.querySelectorAll("main ol li")].every((row) => row.classList.contains("command")));
      await page.getByRole("tab", { name: "Sessions" }).click();
      await visit.settled();
      await visit.go(at(`/events/${server.first.id}`));
      await page.getByRole("region", { name: "Before and after" }).getByText("This event").waitFor();
      await page.getByRole("button", { name: "±5 min" }).click();
      await page.waitForURL(/around=300/);
    }),
  );

  test(
    "exception: chosen, tried on the history, saved, and part of the rule",
    as("responder", async (visit, page) => {
      await visit.go(at(`/events/${server.first.id}`));
      await page.getByRole("button", { name: "Write an exception" }).waitFor();
      await page.keyboard.press("e");
      const dialog = page.getByRole("dialog", { name: /Exception for/ });
      await dialog.getByRole("checkbox").first().waitFor();
      equal(await visit.axe(), [], "axe on the wizard");
      await dialog.getByRole("button", { name: "Try it on the history" }).click();
      await dialog.getByText(/would have silenced/).waitFor();
      await dialog.getByRole("button", { name: "Save the exception" }).click();
      await page.getByText(/Exception saved/).waitFor();
      await page.getByRole("link", { name: "Rule", exact: true }).click();
      await page.getByText("Changed here").waitFor();
      await page.getByRole("tab", { name: "History" }).click();
      await page.getByText(/Exception from event/).waitFor();
      await page.getByRole("tab", { name: "Difference" }).click();
      await page.getByRole("region", { name: "Shipped to present" }).getByText(/exceptions/).first().waitFor();
      await page.getByRole("button", { name: "Back to shipped…" }).click();
      await page.getByRole("dialog").getByRole("button", { name: "Do it" }).click();
      await page.getByText("As shipped").waitFor();
    }),
  );

  test(
    "rules: search, mistakes under the right word, back-test before saving, a rule of one's own",
    as("responder", async (visit, page) => {
      await visit.go(at("/rules"));
      await page.getByRole("searchbox", { name: "Search rules" }).fill("shadow T1003");
      await page.waitForURL(/q=/);
      await visit.go(at("/rules/new"));
      const editor = page.getByRole("textbox", { name: "Rule as YAML" });
      const rule = (condition) => `- rule: From the browser\n  desc: A test.\n  condition: ${condition}\n  output: x\n  priority: WARNING\n  source: syscall\n`;
      await editor.fill(rule("proc.nmae = cat"));
      const complaint = page.getByRole("button", { name: /^3:/ });
      await complaint.waitFor();
      await complaint.click();
      assert(await page.getByRole("button", { name: "Save…" }).isDisabled(), "a broken rule cannot be saved");
      await editor.fill(rule('proc.name = "cat"'));
      await page.getByText(/^It loads/).waitFor();
      await page.getByRole("button", { name: "Back-test" }).first().click();
      await page.getByText(/recorded events would have matched/).waitFor();
      const matched = Number((await page.locator(".verdict strong").innerText()).replaceAll(",", ""));
      assert(matched > 0, "the recording has a cat");
      await page.getByRole("button", { name: "Save…" }).click();
      await page.getByRole("dialog").getByText(/Back-tested/).waitFor();
      await page.getByRole("textbox", { name: "Why" }).fill("to try it");
      await page.getByRole("dialog").getByRole("button", { name: "Save", exact: true }).click();
      await visit.heading("From the browser");
      await page.getByRole("tab", { name: "History" }).click();
      await page.getByText("to try it").waitFor();
    }),
  );

  test(
    "policies: written, checked, kept, and removed only by typing the name",
    as("responder", async (visit, page) => {
      await server.api("PUT", "/policies/e2e-policy", { text: server.policy, note: "" });
      await visit.go("/policies/e2e-policy");
      const editor = page.getByRole("textbox", { name: "Policy as YAML" });
      await editor.waitFor();
      await editor.fill("- name: [");
      await page.getByRole("button", { name: /^\d+:\d+/ }).first().waitFor();
      assert(await page.getByRole("button", { name: "Save…" }).isDisabled(), "a broken policy cannot be saved");
      await editor.fill(`${server.policy}# changed\n`);
      await page.getByRole("button", { name: "Save…" }).click();
      await page.getByRole("dialog").getByRole("button", { name: "Save", exact: true }).click();
      await page.getByText("version 2").waitFor();
      await page.getByRole("button", { name: "Remove…" }).click();
      const really = page.getByRole("dialog").getByRole("button", { name: "Remove", exact: true });
      assert(await really.isDisabled(), "removal waits for the name");
      await page.getByRole("textbox", { name: "Name of the policy" }).fill("e2e-policy");
      await really.click();
      await page.getByText("Removed").waitFor();
    }),
  );

  test(
    "saved queries, notes and export",
    as("responder", async (visit, page) => {
      await visit.go(at("/events?filter=severity%20%3E%3D%20high"));
      await page.getByRole("button", { name: "Queries" }).click();
      await page.getByRole("textbox", { name: "Name of the query" }).fill("High and up");
      await page.getByRole("button", { name: "Save", exact: true }).click();
      await page.getByRole("dialog").getByRole("button", { name: /High and up/ }).first().waitFor();
      equal(await visit.axe(), [], "axe on saved queries");
      await page.keyboard.press("Escape");
      await visit.go(at("/events"));
      await page.getByRole("button", { name: "Queries" }).click();
      await page.getByRole("dialog").getByRole("button", { name: /^High and up/ }).click();
      await page.waitForURL(/filter=severity/);
      await page.getByText("Export").click();
      const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "CSV" }).click()]);
      assert(/csv/.test(download.suggestedFilename()), download.suggestedFilename());
      await visit.go(at(`/events/${server.first.id}`));
      await page.getByRole("textbox", { name: "Note" }).fill("Looked at it");
      await page.getByRole("button", { name: "Add", exact: true }).click();
      await page.getByRole("region", { name: "Notes" }).getByText("Looked at it").waitFor();
    }),
  );

  test(
    "roles: a viewer is shown nothing to change, and is told why where it may not look",
    as("viewer", async (visit, page) => {
      await visit.go(at(`/events/${server.first.id}`));
      await page.getByRole("heading", { name: "Process tree" }).waitFor();
      equal(await page.getByRole("button", { name: "Acknowledge" }).count(), 0, "Acknowledge");
      await visit.go(`/rules/${encodeURIComponent(server.first.rule)}`);
      await page.getByText("changing rules needs the role responder").waitFor();
      visit.expected = /403/;
      await visit.go("/settings/users");
      await page.getByText("Your role does not see this.").waitFor();
      equal(await visit.axe(), [], "axe on forbidden");
    }),
  );

  test(
    "settings: users, teams, tokens shown once, retention, audit log",
    as("admin", async (visit, page) => {
      await visit.go("/settings/teams");
      await page.getByRole("button", { name: "Add a team" }).click();
      await page.getByLabel("Name", { exact: true }).fill("e2e-team");
      await page.getByLabel("Zone, as a filter").fill('k8s.ns.name = "shop"');
      await page.getByRole("dialog").getByRole("button", { name: "Add", exact: true }).click();
      await page.getByRole("cell", { name: "e2e-team", exact: true }).waitFor();
      await visit.go("/settings/users");
      await page.getByRole("button", { name: "Add a user" }).click();
      await page.getByLabel("Name", { exact: true }).fill("erin");
      await page.getByLabel(/^Password/).fill("another long password");
      await page.getByLabel(/^Teams/).fill("e2e-team");
      equal(await visit.axe(), [], "axe on the dialog");
      await page.getByRole("dialog").getByRole("button", { name: "Add", exact: true }).click();
      await page.getByRole("cell", { name: "erin", exact: true }).waitFor();
      await page.getByRole("button", { name: "Remove erin" }).click();
      await page.getByText("Removed erin").waitFor();
      await visit.go("/settings/tokens");
      await page.getByRole("button", { name: "Make a token" }).click();
      await page.getByLabel("What it is for").fill("e2e token");
      await page.getByRole("button", { name: "Make it" }).click();
      await page.getByRole("dialog").getByText(/vdt_/).waitFor();
      await page.getByRole("button", { name: "Done" }).click();
      await page.getByRole("button", { name: "Withdraw e2e token" }).click();
      await page.getByText("Token withdrawn").waitFor();
      await visit.go("/settings/retention");
      await page.getByLabel("Activity, days").fill("13");
      await page.getByRole("button", { name: "Save", exact: true }).click();
      await page.getByText("Saved").waitFor();
      await visit.go("/settings/audit-log");
      await page.getByText("settings.retention").first().waitFor();
      await page.getByText("user.delete").first().waitFor();
    }),
  );

  test("a team's zone holds on every screen", async () => {
    await server.api("POST", "/teams", { name: "zone-team", zone: 'k8s.ns.name = "zone-only"' });
    await server.api("POST", "/users", { name: "zoe", role: "viewer", password: PASSWORDS.viewer, teams: ["zone-team"] });
    const inside = finding("e2e-node", { rule: "Inside the zone" }, { "k8s.ns.name": "zone-only" });
    await server.report([inside]);
    const visit = await open();
    await visit.signIn("zoe", PASSWORDS.viewer);
    await visit.go(at("/events"));
    await visit.page.getByRole("link", { name: "Inside the zone" }).waitFor();
    equal(await visit.page.locator("a[data-finding]").count(), 1, "rows of the zone");
    visit.expected = /404/;
    await visit.go(`/events/${server.first.id}`);
    await visit.page.getByRole("alert").waitFor();
    await visit.close();
  });

  test(
    "states: empty, an address that is gone, and a server that does not answer",
    as("viewer", async (visit, page) => {
      for (const path of ["/", "/insights", "/activity", "/activity?tab=records"]) {
        await visit.go(`${path}${path.includes("?") ? "&" : "?"}from=2001-01-01T00:00:00Z&to=2001-01-02T00:00:00Z`);
        await visit.settled();
        equal(await visit.axe(), [], `axe on the empty ${path}`);
      }
      await visit.go("/events?from=2001-01-01T00:00:00Z&to=2001-01-02T00:00:00Z");
      await page.getByText("No events in this range.").waitFor();
      visit.expected = /404|Failed to load/;
      await visit.go(`/events/${"0".repeat(32)}`);
      await page.getByRole("alert").first().waitFor();
      await visit.go(at("/events"));
      await page.locator("a[data-finding]").first().waitFor();
      await page.route("**/api/v1/**", (route) => route.abort());
      await page.getByRole("button", { name: "Earlier" }).click();
      await page.getByText("The server does not answer.").first().waitFor();
      equal(await visit.axe(), [], "axe on stale");
      await page.unroute("**/api/v1/**");
      await page.getByRole("button", { name: "Try again" }).first().click();
      await page.getByRole("heading", { level: 2, name: /events?$/ }).waitFor();
    }),
  );

  test(
    "time: presets, absolute range, the histogram's brush, and themes that stay",
    as("viewer", async (visit, page) => {
      await visit.go(at("/events"));
      await page.getByRole("group", { name: "Time range" }).getByRole("button", { expanded: false }).click();
      await page.getByRole("button", { name: "2 weeks" }).click();
      await page.waitForURL(/from=now-14d/);
      await visit.go(at("/events"));
      const bars = page.getByRole("group", { name: /^Events over time/ });
      await bars.focus();
      await page.keyboard.press("ArrowLeft");
      await page.keyboard.press("Enter");
      await page.waitForURL(/to=20/);
      await page.getByRole("button", { name: "Dark theme" }).click();
      await page.reload();
      equal(await page.evaluate(() => document.documentElement.dataset.theme), "dark", "theme after a reload");
    }),
  );

  test("script below 200 KB on the wire and painted within a second", async () => {
    const visit = await open();
    const sizes = { script: 0, style: 0 };
    visit.page.on("response", async (response) => {
      const kind = response.request().resourceType();
      const size = await response.request().sizes().catch(() => null);
      if (kind === "script") sizes.script += size?.responseBodySize ?? 0;
      if (kind === "stylesheet") sizes.style += size?.responseBodySize ?? 0;
    });
    await visit.signIn("viewer", PASSWORDS.viewer);
    const paints = [];
    for (let round = 0; round < 3; round++) {
      await visit.go(at("/events"));
      await visit.page.locator("a[data-finding]").first().waitFor();
      paints.push(await visit.page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? Number.NaN));
    }
    const best = Math.min(...paints);
    console.log(`     script ${(sizes.script / 1024).toFixed(1)} KB, style ${(sizes.style / 1024).toFixed(1)} KB compressed; first contentful paint ${best.toFixed(0)} ms`);
    assert(sizes.script > 1000 && sizes.script < 200 * 1024, `script: ${sizes.script} bytes`);
    assert(best < 1000, `first contentful paint: ${paints}`);
    await visit.close();
  });
}
